#pragma once

#include "fd.h"

namespace wirespan {

// The root of a kernel file system ("tracefs", "securityfs") that may not be mounted: our own
// mount, which is visible in no namespace and disappears with the descriptor. Not ok() with errno
// set if the kernel refuses; needs CAP_SYS_ADMIN.
Fd MountDetached(const char* type);

}  // namespace wirespan
