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

/// Whether libphonenumber knows the region.
int leads_phone_region_is_known(const char *region);

#ifdef __cplusplus
}
#endif
