// Publishes contexts as an SDK does for its threads (OTEP 4947) and its process (OTEP 4719).
#pragma once

#include <stddef.h>
#include <stdint.h>

enum says { CONTEXT, NOT_VALID, NO_POINTER };

// From now on the running thread's work belongs to this span, or to none.
void publish_thread(const uint8_t trace_id[16], const uint8_t span_id[8], enum says says);

// Publishes a ProcessContext, or any other bytes; returns 0, or -1 if the kernel refuses.
int publish_process(const void *payload, size_t size);
