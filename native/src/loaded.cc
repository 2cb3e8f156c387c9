#include "loaded.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "core_types.h"
#include "error.h"
#include "headroom.h"
#include "log.h"
#include "perf_event.h"
#include "tracing.h"

namespace wirespan {
namespace {

// Of a program in SEC("tp/category/event,category/event").
std::vector<std::string> TracepointsOf(const bpf_program* program) {
  const std::string section = bpf_program__section_name(program);
  std::istringstream list(section.substr(section.find('/') + 1));
  std::vector<std::string> names;
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

// The part of `text` between two markers.
std::optional<std::string> Between(const std::string& text, std::string_view before,
                                   std::string_view after) {
  const size_t end = text.find(after);
  if (end == std::string::npos) return std::nullopt;
  const size_t start = text.rfind(before, end);
  if (start == std::string::npos) return std::nullopt;
  const size_t from = start + before.size();
  return text.substr(from, end - from);
}

// The kernel's error for a map that libbpf then created without its types, if a resource was
// missing; 0 otherwise.
int LackingForMap(const std::string& warnings) {
  const auto refused = Between(warnings, "(", "). Retrying without BTF");
  const int error = refused ? -std::atoi(refused->c_str()) : 0;
  return error == EMFILE || error == ENFILE || error == ENOMEM ? error : 0;
}

// libbpf reports which program failed, and the verifier's log, only in its warnings.
Failure LoadFailure(int error, const std::string& warnings) {
  if (const int lacking = LackingForMap(warnings)) error = lacking;
  const auto program = Between(warnings, "prog '", "': failed to load");
  const auto log = Between(warnings, "-- BEGIN PROG LOAD LOG --\n", "-- END PROG LOAD LOG --");
  return {"load", error, program.value_or(""), log.value_or(warnings)};
}

}  // namespace

Loaded::Loaded(const LoadRequest& request) {
  const Warnings warnings;
  bpf_object_open_opts options = {};
  options.sz = sizeof(options);
  options.object_name = request.name.c_str();
  // libbpf reads it only at the load, and which types it needs is known after opening.
  const CoreTypes types;
  const std::string path = types.path();
  options.btf_custom_path = path.c_str();
  object_.reset(bpf_object__open_mem(request.object.data(), request.object.size(), &options));
  if (!object_) throw Failure{"open", errno, "", warnings.text()};
  Select(request);
  for (const auto& [name, bytes] : request.constants) SetConstant(name, bytes);
  for (const auto& [name, fd] : request.reuse) Reuse(name, fd);
  for (const auto& [name, path] : request.pinned) {
    if (path.empty()) {
      bpf_map__set_autocreate(Map(name, "leave out map"), false);
    } else {
      TakePinned(name, path);
    }
  }
  for (const auto& [name, entries] : request.max_entries) {
    const int error = bpf_map__set_max_entries(Map(name, "size map"), entries);
    if (error) throw Failure{"size map " + name, error, "", warnings.text()};
  }
  types.Fill(*request.kernel, bpf_object__btf(object_.get()));
  const TracingTargets targets(*request.kernel, object_.get());
  const Headroom headroom(Descriptors());
  const int error = bpf_object__load(object_.get());
  if (error) throw LoadFailure(error, warnings.text());
}

void Loaded::Close() {
  links_.clear();
  function_links_.clear();
  adopted_.clear();
  object_.reset();
}

void Loaded::Select(const LoadRequest& request) {
  const auto& wanted = request.programs;
  bpf_program* program;
  bpf_object__for_each_program(program, object_.get()) {
    const bool load =
        std::find(wanted.begin(), wanted.end(), bpf_program__name(program)) != wanted.end();
    bpf_program__set_autoload(program, load);
  }
  for (const std::string& name : wanted) Program(name, "load");
}

int Loaded::Descriptors() const {
  // One is for the object's types.
  int count = 1 + static_cast<int>(Programs().size());
  const bpf_map* map;
  bpf_object__for_each_map(map, object_.get()) {
    if (bpf_map__autocreate(map) && bpf_map__fd(map) < 0) count++;
  }
  return count;
}

void Loaded::Reuse(const std::string& name, const Fd& fd) {
  const std::string step = "reuse map " + name;
  bpf_map* map = Map(name, "reuse map");
  bpf_map_info facts = {};
  uint32_t size = sizeof(facts);
  if (bpf_obj_get_info_by_fd(fd.get(), &facts, &size)) throw Failure{step, errno};
  // libbpf would silently accept the other map's layout.
  if (facts.type != bpf_map__type(map) || facts.key_size != bpf_map__key_size(map) ||
      facts.value_size != bpf_map__value_size(map)) {
    throw Failure{step, EINVAL};
  }
  const int error = bpf_map__reuse_fd(map, fd.get());
  if (error) throw Failure{step, error};
}

void Loaded::TakePinned(const std::string& name, const std::string& path) {
  const std::string step = "take pinned map " + name;
  bpf_map* map = Map(name, step.c_str());
  const Fd fd(bpf_obj_get(path.c_str()));
  if (!fd.ok()) throw Failure{step, errno};
  // For a program or link the kernel returns this before any other check.
  if (bpf_map_get_next_key(fd.get(), nullptr, nullptr) && errno == EINVAL)
    throw Failure{step, EINVAL, "", "it is no map"};
  bpf_map_info facts = {};
  uint32_t size = sizeof(facts);
  if (bpf_obj_get_info_by_fd(fd.get(), &facts, &size)) throw Failure{step, errno};
  if (facts.type != BPF_MAP_TYPE_HASH && facts.type != BPF_MAP_TYPE_LRU_HASH)
    throw Failure{step, EINVAL, "", "it is no hash"};
  if (facts.key_size != bpf_map__key_size(map)) {
    throw Failure{step, EINVAL, "",
                  "its keys have " + std::to_string(facts.key_size) + " bytes, not " +
                      std::to_string(bpf_map__key_size(map))};
  }
  const int error = bpf_map__reuse_fd(map, fd.get());
  if (error) throw Failure{step, error};
}

void Loaded::SetConstant(const std::string& name, const std::vector<uint8_t>& bytes) {
  const std::string step = "set constant " + name;
  const btf* types = bpf_object__btf(object_.get());
  const int id = types ? btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
  if (id < 0) throw Failure{step, ENOENT};
  const btf_type* section = btf__type_by_id(types, id);
  const btf_var_secinfo* variable = btf_var_secinfos(section);
  for (int i = 0; i < btf_vlen(section); i++, variable++) {
    const btf_type* type = btf__type_by_id(types, variable->type);
    if (name != btf__name_by_offset(types, type->name_off)) continue;
    if (bytes.size() > variable->size) throw Failure{step, E2BIG};
    bpf_map* map = Map(".rodata", step.c_str());
    size_t size = 0;
    const auto* initial = static_cast<const uint8_t*>(bpf_map__initial_value(map, &size));
    if (!initial || variable->offset + bytes.size() > size) throw Failure{step, EINVAL};
    std::vector<uint8_t> image(initial, initial + size);
    std::copy(bytes.begin(), bytes.end(), image.begin() + variable->offset);
    const int error = bpf_map__set_initial_value(map, image.data(), size);
    if (error) throw Failure{step, error};
    return;
  }
  throw Failure{step, ENOENT};
}

void Loaded::Attach(const std::string& name) {
  bpf_program* program = Program(name, "attach");
  if (attached(name)) throw Failure{"attach", EEXIST, name};
  const Warnings warnings;
  std::vector<Link> links;
  if (bpf_program__type(program) == BPF_PROG_TYPE_TRACEPOINT) {
    for (const std::string& event : TracepointsOf(program))
      links.emplace_back(AttachTracepoint(program, event));
  } else {
    links.emplace_back(bpf_program__attach_trace(program));
  }
  for (const Link& link : links)
    if (!link) throw Failure{"attach", errno, name, warnings.text()};
  links_[name] = std::move(links);
}

uint32_t Loaded::AttachFunction(const std::string& name, const std::string& path,
                                const std::string& function) {
  bpf_program* program = Program(name, "attach");
  const Warnings warnings;
  bpf_uprobe_opts options = {};
  options.sz = sizeof(options);
  options.func_name = function.c_str();
  options.retprobe = std::string_view(bpf_program__section_name(program)) == "uretprobe";
  bpf_link* link = bpf_program__attach_uprobe_opts(program, -1, path.c_str(), 0, &options);
  if (!link) throw Failure{"attach", errno, name, warnings.text()};
  function_links_[++last_function_link_] = {name, Link(link)};
  return last_function_link_;
}

void Loaded::Detach(const std::string& program) {
  links_.erase(program);
  std::erase_if(function_links_,
                [&](const auto& entry) { return entry.second.program == program; });
}

bpf_program* Loaded::Program(const std::string& name, const char* step) const {
  bpf_program* program = bpf_object__find_program_by_name(object_.get(), name.c_str());
  if (!program || !bpf_program__autoload(program)) throw Failure{step, ENOENT, name};
  return program;
}

bpf_map* Loaded::Map(const std::string& name, const char* step) const {
  bpf_map* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
  if (!map) throw Failure{std::string(step) + " " + name, ENOENT};
  return map;
}

std::vector<bpf_program*> Loaded::Programs() const {
  std::vector<bpf_program*> programs;
  bpf_program* program;
  bpf_object__for_each_program(program, object_.get()) {
    if (bpf_program__autoload(program)) programs.push_back(program);
  }
  return programs;
}

Link Loaded::LinkIterator(const std::string& name, const std::string& map) const {
  bpf_program* program = Program(name, "iterate");
  const Warnings warnings;
  bpf_iter_link_info info = {};
  bpf_iter_attach_opts options = {};
  options.sz = sizeof(options);
  if (!map.empty()) {
    info.map.map_fd = bpf_map__fd(Map(map, "iterate"));
    options.link_info = &info;
    options.link_info_len = sizeof(info);
  }
  Link link(bpf_program__attach_iter(program, &options));
  if (!link) throw Failure{"iterate", errno, name, warnings.text()};
  return link;
}

Fd Loaded::Iterator(const std::string& name, const std::string& map) const {
  const auto adopted = adopted_.find(name);
  // The file keeps program and map alive, so a link of its own need not outlive this call.
  const Link own = adopted == adopted_.end() ? LinkIterator(name, map) : nullptr;
  Fd file(bpf_iter_create(bpf_link__fd(own ? own.get() : adopted->second.get())));
  if (!file.ok()) throw Failure{"iterate", errno, name};
  return file;
}

void Loaded::AdoptIterator(const Loaded& other, const std::string& program,
                           const std::string& map) {
  adopted_[program] = other.LinkIterator(program, map);
}

}  // namespace wirespan
