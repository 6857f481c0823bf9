// Arithmetic of integers runs on what every machine has. Included by vec.h only.
#pragma once

#include "cpu/vec/portable.h"
