#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "loaded.h"
#include "table.h"

namespace wirespan {

// BpfMap of native/index.ts.
class Map : public Napi::ObjectWrap<Map> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Object New(Napi::Env env, const std::shared_ptr<Loaded>& loaded, bpf_map* map);

  explicit Map(const Napi::CallbackInfo& info);

  // The map's descriptor; EBADF once the object is closed.
  int Open(Napi::Env env, const char* step) const;
  bool is_ring() const { return type_ == BPF_MAP_TYPE_RINGBUF; }
  uint32_t max_entries() const { return max_entries_; }

 private:
  Napi::Value Read(const Napi::CallbackInfo& info);
  Napi::Value ReadPerCpu(const Napi::CallbackInfo& info);
  Napi::Value LookUp(const Napi::CallbackInfo& info);
  void Update(const Napi::CallbackInfo& info);
  Napi::Value Delete(const Napi::CallbackInfo& info);

  // Reads all entries, each with `put(value, destination)`, `value_bytes` apart.
  template <typename Put>
  Napi::Value ReadInto(const Napi::CallbackInfo& info, size_t value_bytes, Put put,
                       bool used_only = false);

  bool per_cpu() const;
  // One CPU's share of a value, in the kernel's layout.
  uint32_t share() const { return (value_size_ + 7) & ~7u; }
  uint32_t stride() const { return per_cpu() ? share() * cpus_ : value_size_; }

  std::shared_ptr<Loaded> loaded_;
  bpf_map* map_;
  bpf_map_type type_;
  uint32_t key_size_;
  uint32_t value_size_;
  uint32_t max_entries_;
  uint32_t cpus_;
};

}  // namespace wirespan
