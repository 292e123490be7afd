"""Phone numbers as keys, compared with what the Python port of the same library makes of them, in the same version.

The binary is asked, by registering a contact for each value: the phone under which its lead is found afterwards is the
normal form, and a lead without one was given no number.
"""

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from load import generator, in_parallel

# Country codes of one region and of many, national prefixes of several kinds, leading zeros that belong to the number.
REGIONS = ["RU", "KZ", "US", "GB", "DE", "FR", "IT", "AR", "BR", "MX", "CN", "AU"]
VALUES = 450  # for each
SEPARATORS = [" ", "-", ".", "(", ")", " ", " - ", ") ", "  ", "/", "\u00a0", "\u2011", "\u2013", "\uff0d", "\u200b", "\u3000", "~", ","]
ENDS = ["", "", "", " ", " (home)", " ext. 12", " x3", "#4", ";ext=5", " доб. 67", ", 8", " / 9", "\n", ".", " or later", ";phone-context=+44", "*"]
FORMATS = [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL, PhoneNumberFormat.RFC3966]
STARTS = ["", "", "", " ", "tel:", "Tel. ", "+", "++", "\uff0b", "(", "8", "0", "00", "011 ", "8~10 ", "810", "1 ", "+ ", "*", "№ "]
DIGITS = ["٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९"]
GARBAGE = ["", " ", "+", "0", "12", "112", "999", "+7", "+79", "no", "звоните", "1-800-FLOWERS", "0800 REPAIR", "+1 800 got milk",
           "000000000000", "+" + "9" * 16, "9" * 250, "1" * 255, "(" * 100 + "89001234567", "8" + " " * 200 + "9001234567",
           "+7 900 123-45-67 +7 900 123-45-68", "89001234567/89001234568", "8 900 123 45 67 доб 1", "+7 (900) 123-45-67\u202c",
           "<script>89001234567</script>", "8.900.123.45.67", "8 9OO 123 45 67", "+７９００１２３４５６７", "٨٩٠٠١٢٣٤٥٦٧", "1.5e10", "-89001234567",
           "+-79001234567", "7+9001234567", "+7(9(0(0(1(2(3(4(5(6(7", "8x9001234567", "\u200b8 900 123 45 67", "🙂89001234567🙂"]


def e164(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if phonenumbers.is_valid_number(number) else None


def value(random, region: str) -> str:
    """A number of the region or another one, in some notation, damaged now and then."""
    if random.random() < 0.06:
        return random.choice(GARBAGE)
    home = region if random.random() < 0.5 else random.choice(sorted(phonenumbers.SUPPORTED_REGIONS))
    kind = random.choice(sorted(PhoneNumberType.values()))
    number = phonenumbers.example_number_for_type(home, kind) or phonenumbers.example_number(home)
    if number is None:
        return "".join(random.choice("0123456789 +-") for _ in range(random.randrange(20)))
    if random.random() < 0.8:
        number.national_number = max(1, number.national_number + random.randrange(-5000, 5000))
    text = phonenumbers.format_number(number, random.choice(FORMATS))
    chance = random.random()
    if chance < 0.4:
        text = "".join(random.choice(SEPARATORS) + c if random.random() < 0.2 else c for c in text)
    elif chance < 0.5:
        text = "".join(c for c in text if c.isdigit() or c == "+")
    elif chance < 0.55:
        digits = random.choice(DIGITS)
        text = "".join(digits[int(c)] if c in "0123456789" else c for c in text)
    elif chance < 0.6 and text:
        place = random.randrange(len(text))
        text = text[:place] + random.choice(["", "7", "x", "+", "A", "\u0301", "*", text[place] * 2]) + text[place + 1:]
    return random.choice(STARTS) * (random.random() < 0.25) + text + random.choice(ENDS) * (random.random() < 0.25)


@pytest.mark.parametrize("region", REGIONS)
def test_phones_have_the_normal_form_that_the_python_port_gives_them(instances, empty_database, region):
    instance = instances(empty_database, LEADS_PHONE_REGION=region)
    source, random = instance.client().source()["id"], generator(f"phones of {region}")
    values = [*GARBAGE, *(value(random, region) for _ in range(VALUES - len(GARBAGE)))]
    clients, leads = [instance.client() for _ in range(4)], []
    in_parallel(len(clients), lambda thread, text: leads.append((text, clients[thread].contact(source, lead_phone=text)["lead_id"])),
                (text for text in values if len(text) <= 255), 100)
    keys = dict(empty_database.rows("select lead_id, value from lead_identities where kind = 'phone'"))
    differences = [(text, keys.get(lead), e164(text, region)) for text, lead in leads if keys.get(lead) != e164(text, region)]
    assert not differences, f"{len(differences)} of {len(leads)}: {differences[:20]}"
    valid = sum(lead in keys for _, lead in leads)
    print(f"  {len(leads)} values, {valid} of them numbers")
    assert valid > VALUES / 3
    instance.end()
    # One number, one lead, whatever the notation.
    assert len({lead for _, lead in leads if lead in keys}) == len(set(keys.values()))
