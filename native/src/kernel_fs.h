#pragma once

#include "fd.h"

namespace wirespan {

// The root of a kernel file system ("tracefs", "securityfs") that may not be mounted: a mount of
// our own, which appears in no namespace and goes with the descriptor. Not ok() with errno set
// where the kernel refuses; needs CAP_SYS_ADMIN.
Fd MountDetached(const char* type);

}  // namespace wirespan
