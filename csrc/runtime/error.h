// The one exception of the C++ side. It becomes Python's class at the binding and a code at the C
// ABI.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace symk {

enum class ErrorCode : int {
  kInternal = 1,    // a broken promise of our own
  kShape = 2,       // sizes or ranks that do not fit
  kDtype = 3,       // a dtype that is not the one wanted
  kOutOfRange = 4,  // an index outside its array
  kFormat = 5,      // a Plan that cannot be read
  kMemory = 6,      // memory could not be had
  kDevice = 7,      // a missing device or kernel
  kFile = 8,        // a file that cannot be opened or read
  kArgument = 9,    // a call with wrong arguments
  kNotFinite = 10,  // a NaN or an infinity, where the call was asked to look for them
  kKernel = 11,     // a user's op or kernel that failed
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string text) : code_(code), text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
  std::string text_;
};

}  // namespace symk
