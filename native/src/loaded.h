#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fd.h"
#include "kernel_types.h"

namespace wirespan {

// What to load, in a form that a worker thread may read.
struct LoadRequest {
  std::string name;
  std::vector<uint8_t> object;
  std::vector<std::string> programs;
  std::map<std::string, std::vector<uint8_t>> constants;
  std::map<std::string, Fd> reuse;
  std::map<std::string, uint32_t> max_entries;
  // Paths; an empty one: the map is not created.
  std::map<std::string, std::string> pinned;
  std::shared_ptr<const KernelTypes> kernel;
};

struct FreeObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

struct FreeLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

using Link = std::unique_ptr<bpf_link, FreeLink>;

// One loaded BPF object and the links of its programs. Does not use JavaScript; throws Failure.
class Loaded {
 public:
  // Opens and loads. Any thread.
  explicit Loaded(const LoadRequest& request);

  bool open() const { return object_ != nullptr; }
  // Detaches and unloads everything; idempotent. Programs and maps handed out become invalid.
  void Close();

  void Attach(const std::string& program);
  // To a function of an executable or a library, by the name of its symbol; ENOENT if it has none.
  // Returns a number for DetachFunction.
  uint32_t AttachFunction(const std::string& program, const std::string& path,
                          const std::string& function);
  void DetachFunction(uint32_t link) { function_links_.erase(link); }
  // Wherever it is attached.
  void Detach(const std::string& program);
  bool attached(const std::string& program) const { return links_.contains(program); }

  // A loaded program; ENOENT.
  bpf_program* Program(const std::string& name, const char* step) const;
  bpf_map* Map(const std::string& name, const char* step) const;
  std::vector<bpf_program*> Programs() const;
  // A file with the output of the iterator program, its own or one adopted; `map` may be empty.
  Fd Iterator(const std::string& program, const std::string& map) const;
  // Keeps another object's iterator over a map, even after that object has been closed.
  void AdoptIterator(const Loaded& other, const std::string& program, const std::string& map);

 private:
  void Select(const LoadRequest& request);
  // Number of descriptors that its load takes.
  int Descriptors() const;
  // Throws EINVAL if the map has another type or other sizes of entries.
  void Reuse(const std::string& name, const Fd& fd);
  // Reuses a pinned hash, whatever its values. Throws EINVAL for other maps.
  void TakePinned(const std::string& name, const std::string& path);
  void SetConstant(const std::string& name, const std::vector<uint8_t>& bytes);
  Link LinkIterator(const std::string& program, const std::string& map) const;

  std::unique_ptr<bpf_object, FreeObject> object_;
  std::map<std::string, std::vector<Link>> links_;
  struct FunctionLink {
    std::string program;
    Link link;
  };
  std::map<uint32_t, FunctionLink> function_links_;
  uint32_t last_function_link_ = 0;
  std::map<std::string, Link> adopted_;
};

}  // namespace wirespan
