// Files in memory, by the system's own paging.
#include "runtime/bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/error.h"
#include "runtime/text.h"

namespace symk {
namespace {

/// A file descriptor that is closed at the end.
class File {
 public:
  explicit File(const char* path) : path_(path), number_(open(path, O_RDONLY | O_CLOEXEC)) {
    if (number_ < 0) refuse("opened");
  }
  ~File() { close(number_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  size_t size() const {
    struct stat status;
    if (fstat(number_, &status) != 0) refuse("read");
    if (!S_ISREG(status.st_mode)) {
      throw Error(ErrorCode::kFile,
                  joined({"[load] a file is required; \"", path_, "\" is something else."}));
    }
    return static_cast<size_t>(status.st_size);
  }

  const char* map(size_t count) const {
    void* const mapped = mmap(nullptr, count, PROT_READ, MAP_PRIVATE, number_, 0);
    if (mapped == MAP_FAILED) refuse("mapped");
    return static_cast<const char*>(mapped);
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    const std::string reason = std::strerror(errno);
    throw Error(ErrorCode::kFile, joined({"[load] a file that can be read is required; \"", path_,
                                          "\" cannot be ", what, ": ", reason, "."}));
  }

  const std::string path_;
  const int number_;
};

}  // namespace

std::shared_ptr<const Bytes> Bytes::map(const char* path) {
  std::shared_ptr<Bytes> bytes(new Bytes);
  const File file(path);
  bytes->count_ = file.size();
  if (bytes->count_ == 0) return bytes;  // which nothing can map
  bytes->data_ = file.map(bytes->count_);
  bytes->mapped_ = true;
  return bytes;
}

std::shared_ptr<const Bytes> Bytes::copy(const void* data, size_t count) {
  std::shared_ptr<Bytes> bytes(new Bytes);
  bytes->copy_ = Block(static_cast<int64_t>(count));
  std::memcpy(bytes->copy_.data(), data, count);
  bytes->data_ = bytes->copy_.data();
  bytes->count_ = count;
  return bytes;
}

std::shared_ptr<const Bytes> Bytes::lend(const void* data, size_t count) {
  if (reinterpret_cast<uintptr_t>(data) % kAlignment != 0) {
    throw Error(ErrorCode::kArgument,
                "[load] memory that is lent must lie on a multiple of 64 bytes; it does not. Align "
                "it, or have it copied.");
  }
  std::shared_ptr<Bytes> bytes(new Bytes);
  bytes->data_ = static_cast<const char*>(data);
  bytes->count_ = count;
  return bytes;
}

Bytes::~Bytes() {
  if (mapped_) munmap(const_cast<char*>(data_), count_);
}

void write_whole_file(const char* path, const char* bytes, size_t count) {
  std::string temporary = std::string(path) + ".XXXXXX";
  const int number = mkstemp(temporary.data());
  bool written = number >= 0 && fchmod(number, 0644) == 0;
  for (size_t done = 0; written && done < count;) {
    const ssize_t more = write(number, bytes + done, count - done);
    written = more > 0 || (more < 0 && errno == EINTR);
    if (more > 0) done += static_cast<size_t>(more);
  }
  written = written && fsync(number) == 0;
  if (written) written = std::rename(temporary.c_str(), path) == 0;
  const std::string reason = std::strerror(errno);
  if (number >= 0) close(number);
  if (written) return;
  if (number >= 0) unlink(temporary.c_str());
  throw Error(ErrorCode::kFile, joined({"[save] a file that can be written is required; \"", path,
                                        "\" cannot be: ", reason, "."}));
}

}  // namespace symk
