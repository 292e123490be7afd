#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Writes the E.164 form of `text` (UTF-8, `length` bytes), read as in `region` (two capital letters, NUL-terminated).
///
/// Returns the number of bytes written, or 0 when the text is no valid phone number or `capacity` is too small.
/// Never throws; safe to call from any thread.
size_t leads_phone_e164(const char *text, size_t length, const char *region, char *buffer, size_t capacity);

/// The country code of the region, 0 when libphonenumber does not know the region.
int leads_phone_country_code(const char *region);

/// Writes what is dialled before numbers within the region's country (`8` in Russia, `0` in Germany), digits only.
///
/// Returns the number of bytes written, 0 for none or when `capacity` is too small.
size_t leads_phone_national_prefix(const char *region, char *buffer, size_t capacity);

/// Whether libphonenumber knows the region.
int leads_phone_region_is_known(const char *region);

#ifdef __cplusplus
}
#endif
