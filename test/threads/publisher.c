#include "publisher.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED  __attribute__((visibility("default")))
#define barrier() __asm__ volatile("" ::: "memory")

struct record {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t valid;
	uint8_t flags;
	uint16_t attributes;
};

EXPORTED __thread struct record *otel_thread_ctx_v1;
static __thread struct record own;
// More than the space that the C library reserves for libraries that are loaded later.
#ifdef BALLAST
static __thread volatile char ballast[BALLAST];
#endif

EXPORTED void publish_thread(const uint8_t trace_id[16], const uint8_t span_id[8], enum says says)
{
#ifdef BALLAST
	ballast[0] = 1;
#endif
	own.valid = 0;
	barrier();
	memcpy(own.trace_id, trace_id, 16);
	memcpy(own.span_id, span_id, 8);
	own.flags = 1;
	barrier();
	own.valid = says != NOT_VALID;
	barrier();
	otel_thread_ctx_v1 = says == NO_POINTER ? NULL : &own;
}

struct header {
	char signature[8];
	uint32_t version;
	uint32_t payload_size;
	uint64_t published_at;
	uint64_t payload;
};

EXPORTED int publish_process(const void *payload, size_t size)
{
	int fd = memfd_create("OTEL_CTX", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct timespec now;
	struct header *h;

	if (fd < 0 || ftruncate(fd, 4096))
		return -1;
	h = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (h == MAP_FAILED || madvise(h, 4096, MADV_DONTFORK))
		return -1;
	memcpy(h->signature, "OTEL_CTX", 8);
	h->version = 2;
	h->payload_size = size;
	h->payload = (uint64_t)payload;
	clock_gettime(CLOCK_BOOTTIME, &now);
	__sync_synchronize();
	h->published_at = now.tv_sec * 1000000000ull + now.tv_nsec;
#ifdef PR_SET_VMA
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, h, 4096, "OTEL_CTX");
#endif
	return 0;
}
