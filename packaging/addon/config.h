// Replaces the file that elfutils' configure would write: only libelf is built, with zlib and without zstd.
#define _GNU_SOURCE 1
#include <features.h>
#ifdef __GLIBC__
#define HAVE_DECL_RAWMEMCHR 1
#define HAVE_ERROR_H        1
#else
#define HAVE_DECL_RAWMEMCHR 0
#endif
#define HAVE_DECL_MEMPCPY      1
#define HAVE_DECL_MEMRCHR      1
#define HAVE_DECL_POWEROF2     1
#define HAVE_DECL_REALLOCARRAY 1
#define HAVE_ERR_H             1
#define HAVE_GCC_STRUCT        0
#define HAVE_VISIBILITY        1
#define PACKAGE_NAME           "elfutils"
#define PACKAGE_VERSION        "0.191"
#define USE_ZLIB               1
#include <eu-config.h>
