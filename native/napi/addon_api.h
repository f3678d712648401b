#pragma once
// napi.h with this addon's settings; included in its place.

// An exception that cannot be thrown because the environment is going away is dropped instead of ending the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>
