// What every launch needs: the stream that a thread records into, and what an error of CUDA means.
#include "cuda/launch.h"

#include <string>

namespace symk::cuda {

thread_local cudaStream_t recorded_stream = nullptr;

namespace {

/// Whether nothing can be done with a device after this error until the process ends.
bool is_lasting(cudaError_t status) {
  switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorUnknown: return true;
    default: return false;
  }
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the next call shall not see this one's failure, unless it lasts
  const std::string failed =
      std::string("[cuda] ") + what + " failed: " + cudaGetErrorString(status);
  if (status == cudaErrorMemoryAllocation) {
    throw Error(ErrorCode::kMemory, failed + ". Use a smaller batch.");
  }
  if (status == cudaErrorNoKernelImageForDevice) {
    throw Error(ErrorCode::kDevice, failed +
                                        ". This build has no code for this GPU. Build symk with "
                                        "SYMK_CUDA_ARCHITECTURES for it.");
  }
  if (is_lasting(status)) {
    throw Error(ErrorCode::kDevice, failed +
                                        ". The device is lost, with the values that were only "
                                        "there. Start the program again.");
  }
  throw Error(ErrorCode::kDevice, failed + ".");
}

}  // namespace symk::cuda
