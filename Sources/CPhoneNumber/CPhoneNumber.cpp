#include "CPhoneNumber.h"

#include <cstring>
#include <set>
#include <string>

#include <phonenumbers/phonenumberutil.h>

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

size_t leads_phone_e164(const char *text, size_t length, const char *region, char *buffer, size_t capacity) {
    try {
        const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
        PhoneNumber number;
        if (util.Parse(std::string(text, length), region, &number) != PhoneNumberUtil::NO_PARSING_ERROR) return 0;
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

int leads_phone_region_is_known(const char *region) {
    try {
        std::set<std::string> regions;
        PhoneNumberUtil::GetInstance()->GetSupportedRegions(&regions);
        return regions.count(region) > 0 ? 1 : 0;
    } catch (...) {
        return 0;
    }
}
