#include <zlib.h>

/// `deflateInit2` is a macro, which Swift does not see: a stream in gzip's format (16 beyond the window's 15 bits), as small as it gets.
static inline int gzip_init(z_stream *stream) {
    return deflateInit2(stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
}
