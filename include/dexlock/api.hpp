// Marks what a shared libdexlock shows to programs.
//
// Threads: none.
#pragma once

#define DEXLOCK_API [[gnu::visibility("default")]]
