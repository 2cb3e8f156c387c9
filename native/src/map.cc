#include "map.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "environment.h"
#include "error.h"

namespace wirespan {
namespace {

struct Source {
  const std::shared_ptr<Loaded>& loaded;
  bpf_map* map;
};

bool IsZero(const uint8_t* bytes, size_t size) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

// Sums the CPUs' shares word by word; of the words named in `maxima` it takes the largest.
class Summing {
 public:
  Summing(size_t words, uint32_t cpus, const Napi::Value& max_words)
      : cpus_(cpus), sum_(words), takes_max_(words) {
    if (!max_words.IsTypedArray()) return;
    const auto maxima = max_words.As<Napi::Uint32Array>();
    for (size_t i = 0; i < maxima.ElementLength(); i++) {
      if (maxima[i] < words) takes_max_[maxima[i]] = true;
    }
  }

  void operator()(const uint8_t* shares, uint8_t* into) {
    const size_t bytes = sum_.size() * sizeof(uint64_t);
    memcpy(sum_.data(), shares, bytes);
    for (uint32_t cpu = 1; cpu < cpus_; cpu++) {
      // The table's buffer is allocated, and every share starts, at a multiple of 8.
      const auto* share = reinterpret_cast<const uint64_t*>(shares + cpu * bytes);
      for (size_t i = 0; i < sum_.size(); i++) {
        sum_[i] = takes_max_[i] ? std::max(sum_[i], share[i]) : sum_[i] + share[i];
      }
    }
    memcpy(into, sum_.data(), bytes);
  }

 private:
  uint32_t cpus_;
  std::vector<uint64_t> sum_;
  std::vector<uint8_t> takes_max_;
};

}  // namespace

Napi::Function Map::Define(Napi::Env env) {
  return DefineClass(
      env, "BpfMap",
      {InstanceMethod<&Map::Read>("read"), InstanceMethod<&Map::ReadPerCpu>("readPerCpu"),
       InstanceMethod<&Map::LookUp>("lookUp"), InstanceMethod<&Map::Update>("update"),
       InstanceMethod<&Map::Delete>("delete")});
}

Napi::Object Map::New(Napi::Env env, const std::shared_ptr<Loaded>& loaded, bpf_map* map) {
  Source source = {loaded, map};
  auto object = Environment::Of(env).map.New({Napi::External<Source>::New(env, &source)});
  const auto number = [&](const char* name, uint32_t value) {
    object.DefineProperty(
        Napi::PropertyDescriptor::Value(name, Napi::Number::New(env, value), napi_enumerable));
  };
  object.DefineProperty(Napi::PropertyDescriptor::Value(
      "name", Napi::String::New(env, bpf_map__name(map)), napi_enumerable));
  number("keySize", bpf_map__key_size(map));
  number("valueSize", bpf_map__value_size(map));
  number("maxEntries", bpf_map__max_entries(map));
  return object;
}

Map::Map(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Source& source = *info[0].As<Napi::External<Source>>().Data();
  loaded_ = source.loaded;
  map_ = source.map;
  type_ = bpf_map__type(map_);
  key_size_ = bpf_map__key_size(map_);
  value_size_ = bpf_map__value_size(map_);
  max_entries_ = bpf_map__max_entries(map_);
  cpus_ = libbpf_num_possible_cpus();
}

int Map::Open(Napi::Env env, const char* step) const {
  if (!loaded_->open()) Throw(env, {step, EBADF});
  return bpf_map__fd(map_);
}

bool Map::per_cpu() const {
  return type_ == BPF_MAP_TYPE_PERCPU_ARRAY || type_ == BPF_MAP_TYPE_PERCPU_HASH ||
         type_ == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

template <typename Put>
Napi::Value Map::ReadInto(const Napi::CallbackInfo& info, size_t value_bytes, Put put,
                          bool used_only) {
  const Napi::Env env = info.Env();
  const int fd = Open(env, "read table");
  if (key_size_ == 0 || value_size_ == 0) Throw(env, {"read table", EINVAL});
  auto keys = info[0].As<Napi::Uint8Array>();
  auto values = info[1].As<Napi::Uint8Array>();
  const size_t room = std::min(keys.ByteLength() / key_size_, values.ByteLength() / value_bytes);
  uint8_t* key = keys.Data();
  uint8_t* value = values.Data();
  size_t entries = 0;
  try {
    Table(fd, key_size_, stride(), max_entries_)
        .Read([&](const uint8_t* from_keys, const uint8_t* from_values, uint32_t count) {
          for (uint32_t i = 0; i < count; i++) {
            const uint8_t* from = from_values + static_cast<size_t>(i) * stride();
            if (used_only && IsZero(from, stride())) continue;
            if (entries == room) throw Failure{"read table", ENOSPC};
            memcpy(key + entries * key_size_, from_keys + static_cast<size_t>(i) * key_size_,
                   key_size_);
            put(from, value + entries++ * value_bytes);
          }
        });
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
  return Napi::Number::New(env, entries);
}

Napi::Value Map::Read(const Napi::CallbackInfo& info) {
  if (per_cpu()) {
    if (value_size_ % sizeof(uint64_t)) Throw(info.Env(), {"read table", EINVAL});
    return ReadInto(info, value_size_, Summing(value_size_ / sizeof(uint64_t), cpus_, info[2]));
  }
  return ReadInto(info, value_size_,
                  [this](const uint8_t* from, uint8_t* into) { memcpy(into, from, value_size_); });
}

Napi::Value Map::ReadPerCpu(const Napi::CallbackInfo& info) {
  if (!per_cpu()) Throw(info.Env(), {"read table", EINVAL});
  const auto put = [this](const uint8_t* from, uint8_t* into) {
    for (uint32_t cpu = 0; cpu < cpus_; cpu++) {
      memcpy(into + cpu * value_size_, from + cpu * share(), value_size_);
    }
  };
  return ReadInto(info, value_size_ * cpus_, put, type_ == BPF_MAP_TYPE_PERCPU_ARRAY);
}

Napi::Value Map::LookUp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = Open(env, "look up");
  const auto key = info[0].As<Napi::Uint8Array>();
  auto value = info[1].As<Napi::Uint8Array>();
  if (per_cpu() || key.ByteLength() != key_size_ || value.ByteLength() != value_size_) {
    Throw(env, {"look up", EINVAL});
  }
  const int error = -bpf_map_lookup_elem(fd, key.Data(), value.Data());
  if (error && error != ENOENT) Throw(env, {"look up", error});
  return Napi::Boolean::New(env, error == 0);
}

void Map::Update(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = Open(env, "update");
  const auto key = info[0].As<Napi::Uint8Array>();
  const auto value = info[1].As<Napi::Uint8Array>();
  const uint32_t shares = per_cpu() ? cpus_ : 1;
  if (key.ByteLength() != key_size_ || value.ByteLength() != value_size_ * shares) {
    Throw(env, {"update", EINVAL});
  }
  std::vector<uint8_t> padded(stride());
  for (uint32_t cpu = 0; cpu < shares; cpu++) {
    memcpy(padded.data() + cpu * share(), value.Data() + cpu * value_size_, value_size_);
  }
  const int error = bpf_map_update_elem(fd, key.Data(), padded.data(), BPF_ANY);
  if (error) Throw(env, {"update", error});
}

Napi::Value Map::Delete(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = Open(env, "delete");
  const auto key = info[0].As<Napi::Uint8Array>();
  if (key.ByteLength() != key_size_) Throw(env, {"delete", EINVAL});
  const int error = -bpf_map_delete_elem(fd, key.Data());
  if (error && error != ENOENT) Throw(env, {"delete", error});
  return Napi::Boolean::New(env, error == 0);
}

}  // namespace wirespan
