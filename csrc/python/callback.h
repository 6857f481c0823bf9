// The kernel `callback`: a step that calls Python, for ops that users write there. Slow but right.
#pragma once

#include <pybind11/pybind11.h>

namespace symk::door {

/// Sets the function that runs callbacks: function(number, inputs) -> outputs, lists of arrays.
void set_dispatcher(pybind11::object function);

/// Throws Error unless this thread is outside of a callback: a function or a shared value used
/// inside of one could wait for itself. `what` begins the message.
void require_outside_callback(const char* what);

/// Makes the exception that a callback of this thread has left behind the cause of the one that is
/// set; one that is no Exception (an interrupt) takes its place.
void chain_callback_failure();

}  // namespace symk::door
