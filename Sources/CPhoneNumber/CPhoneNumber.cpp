#include "CPhoneNumber.h"

#include <cstring>
#include <set>
#include <string>

#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace {

// The longest text that the library reads at all.
constexpr size_t longest_text = 250;

// The number without what people write between its digits, or the text as it is when it holds anything else.
//
// Nearly all of the library's time goes into regular expressions over the text as it was given, 18 to 22 µs for
// `8 (900) 123-45-67` and 7 to 8 for `89001234567`. All that these characters do there is to be allowed: it begins at the
// first digit or plus, asks whether the text may be a number (three digits with any of these around them), looks for an
// extension (which needs a letter, `#`, `~`, `,` or `;`), and from then on drops everything that is no digit. So with three
// digits at least the answer is the same; test_phones.py compares.
std::string bare_number(const char *text, size_t length) {
    std::string whole(text, length);
    if (length > longest_text) return whole;
    std::string bare;
    bare.reserve(length);
    size_t digits = 0;
    for (char character : whole) {
        switch (character) {
        case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
            bare.push_back(character);
            ++digits;
            break;
        case '+':
            // Anywhere else it ends the number.
            if (!bare.empty()) return whole;
            bare.push_back(character);
            break;
        case ' ': case '(': case ')': case '-': case '.':
            break;
        default:
            return whole;
        }
    }
    return digits >= 3 ? bare : whole;
}

} // namespace

size_t leads_phone_e164(const char *text, size_t length, const char *region, char *buffer, size_t capacity) {
    try {
        const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
        PhoneNumber number;
        if (util.Parse(bare_number(text, length), region, &number) != PhoneNumberUtil::NO_PARSING_ERROR) return 0;
        if (!util.IsValidNumber(number)) return 0;
        std::string formatted;
        util.Format(number, PhoneNumberUtil::E164, &formatted);
        if (formatted.size() > capacity) return 0;
        std::memcpy(buffer, formatted.data(), formatted.size());
        return formatted.size();
    } catch (...) {
        return 0;
    }
}

int leads_phone_country_code(const char *region) {
    try {
        return PhoneNumberUtil::GetInstance()->GetCountryCodeForRegion(region);
    } catch (...) {
        return 0;
    }
}

size_t leads_phone_national_prefix(const char *region, char *buffer, size_t capacity) {
    try {
        std::string prefix;
        PhoneNumberUtil::GetInstance()->GetNddPrefixForRegion(region, true, &prefix);
        if (prefix.size() > capacity) return 0;
        std::memcpy(buffer, prefix.data(), prefix.size());
        return prefix.size();
    } catch (...) {
        return 0;
    }
}

int leads_phone_region_is_known(const char *region) {
    try {
        std::set<std::string> regions;
        PhoneNumberUtil::GetInstance()->GetSupportedRegions(&regions);
        return regions.count(region) > 0 ? 1 : 0;
    } catch (...) {
        return 0;
    }
}
