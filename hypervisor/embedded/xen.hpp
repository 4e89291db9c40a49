// Xen's own interface headers, without the warnings that they give.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
extern "C" {
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/xen.h>
}
#pragma GCC diagnostic pop
