#include "core_types.h"

#include <sys/mman.h>

#include <cerrno>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "error.h"

namespace wirespan {
namespace {

class Extract {
 public:
  explicit Extract(const btf* from) : from_(from), types_(btf__new_empty()) {
    if (!types_) throw Failure{"make types", errno};
  }

  const btf* types() const { return types_.get(); }

  // The copy of a type, created on first use together with the types that it contains by value.
  int Copy(uint32_t id) {
    if (!id) return 0;
    if (const auto known = copies_.find(id); known != copies_.end()) return known->second;
    const int copy = Checked(Make(btf__type_by_id(from_, id)));
    copies_[id] = copy;
    return copy;
  }

 private:
  static int Checked(int result) {
    if (result < 0) throw Failure{"copy types", result};
    return result;
  }

  const char* Name(uint32_t offset) const { return btf__name_by_offset(from_, offset); }

  int Make(const btf_type* type) {
    btf* to = types_.get();
    const char* name = Name(type->name_off);
    switch (btf_kind(type)) {
      case BTF_KIND_INT:
        return btf__add_int(to, name, type->size, btf_int_encoding(type));
      case BTF_KIND_FLOAT:
        return btf__add_float(to, name, type->size);
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        return MakeComposite(type, name);
      case BTF_KIND_ENUM:
        return MakeEnum(type, name);
      case BTF_KIND_ENUM64:
        return MakeEnum64(type, name);
      case BTF_KIND_ARRAY: {
        const auto* array = btf_array(type);
        const int index = Copy(array->index_type);
        return btf__add_array(to, index, Copy(array->type), array->nelems);
      }
      case BTF_KIND_PTR:
        // libbpf only checks that both are pointers.
        return btf__add_ptr(to, 0);
      case BTF_KIND_TYPEDEF:
        return btf__add_typedef(to, name, Copy(type->type));
      case BTF_KIND_CONST:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG:
        return Copy(type->type);
      default:
        return 0;
    }
  }

  int MakeComposite(const btf_type* type, const char* name) {
    const btf_member* members = btf_members(type);
    // Everything before the struct itself: fields can only be added to the newest type.
    std::vector<int> copies;
    for (int i = 0; i < btf_vlen(type); i++) copies.push_back(Copy(members[i].type));
    btf* to = types_.get();
    const int copy = btf_is_struct(type) ? btf__add_struct(to, name, type->size)
                                         : btf__add_union(to, name, type->size);
    for (int i = 0; i < btf_vlen(type); i++) {
      Checked(btf__add_field(to, Name(members[i].name_off), copies[i],
                             btf_member_bit_offset(type, i), btf_member_bitfield_size(type, i)));
    }
    return copy;
  }

  int MakeEnum(const btf_type* type, const char* name) {
    const int copy = btf__add_enum(types_.get(), name, type->size);
    const auto* values = btf_enum(type);
    for (int i = 0; i < btf_vlen(type); i++) {
      Checked(btf__add_enum_value(types_.get(), Name(values[i].name_off), values[i].val));
    }
    return copy;
  }

  int MakeEnum64(const btf_type* type, const char* name) {
    const int copy = btf__add_enum64(types_.get(), name, type->size, btf_kflag(type));
    const auto* values = btf_enum64(type);
    for (int i = 0; i < btf_vlen(type); i++) {
      Checked(btf__add_enum64_value(types_.get(), Name(values[i].name_off),
                                    btf_enum64_value(&values[i])));
    }
    return copy;
  }

  const btf* from_;
  Btf types_;
  std::unordered_map<uint32_t, int> copies_;
};

// `sock___old` matches `sock`.
std::string_view WithoutFlavor(std::string_view name) {
  const size_t flavor = name.find("___");
  return flavor == 0 ? name : name.substr(0, flavor);
}

bool IsRoot(const btf_type* type) {
  switch (btf_kind(type)) {
    case BTF_KIND_INT:
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_TYPEDEF:
      return true;
    default:
      return false;
  }
}

}  // namespace

CoreTypes::CoreTypes() : file_(memfd_create("kernel types", MFD_CLOEXEC)) {
  if (!file_.ok()) throw Failure{"make types", errno};
}

void CoreTypes::Fill(const KernelTypes& kernel, const btf* local) const {
  Extract extract(kernel.all());
  const uint32_t count = btf__type_cnt(local);
  for (uint32_t id = 1; id < count; id++) {
    const btf_type* type = btf__type_by_id(local, id);
    const std::string_view name = btf__name_by_offset(local, type->name_off);
    if (name.empty() || !IsRoot(type)) continue;
    kernel.ForEach(WithoutFlavor(name), [&](uint32_t match) {
      if (IsRoot(btf__type_by_id(kernel.all(), match))) extract.Copy(match);
    });
  }
  uint32_t size = 0;
  const auto* bytes = static_cast<const char*>(btf__raw_data(extract.types(), &size));
  if (!bytes) throw Failure{"make types", ENOMEM};
  for (uint32_t done = 0; done < size;) {
    const ssize_t written = write(file_.get(), bytes + done, size - done);
    if (written < 0) throw Failure{"write types", errno};
    done += written;
  }
}

}  // namespace wirespan
