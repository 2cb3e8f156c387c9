#include "links.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "error.h"
#include "fd.h"
#include "sockets.h"

namespace wirespan {
namespace {

constexpr char kStep[] = "list interfaces";

// An interface, and what it received according to its statistics.
struct Link {
  int index;
  std::string name;
  std::string kind;
  uint64_t packets;
  uint64_t bytes;
};

// Calls `each` with every attribute in these bytes.
template <typename Each>
void ForAttributes(const void* from, size_t length, Each each) {
  const auto* attribute = static_cast<const rtattr*>(from);
  for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) each(*attribute);
}

std::string Text(const rtattr& attribute) {
  const auto* text = static_cast<const char*>(RTA_DATA(&attribute));
  return std::string(text, strnlen(text, RTA_PAYLOAD(&attribute)));
}

Link ToLink(const nlmsghdr& message) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  Link link = {info->ifi_index, {}, {}, 0, 0};
  ForAttributes(IFLA_RTA(info), IFLA_PAYLOAD(&message), [&](const rtattr& attribute) {
    if (attribute.rta_type == IFLA_IFNAME) {
      link.name = Text(attribute);
    } else if (attribute.rta_type == IFLA_STATS64) {
      rtnl_link_stats64 statistics = {};
      memcpy(&statistics, RTA_DATA(&attribute),
             std::min(sizeof(statistics), size_t{RTA_PAYLOAD(&attribute)}));
      link.packets = statistics.rx_packets;
      link.bytes = statistics.rx_bytes;
    } else if ((attribute.rta_type & NLA_TYPE_MASK) == IFLA_LINKINFO) {
      ForAttributes(RTA_DATA(&attribute), RTA_PAYLOAD(&attribute), [&](const rtattr& nested) {
        if (nested.rta_type == IFLA_INFO_KIND) link.kind = Text(nested);
      });
    }
  });
  return link;
}

void Ask(int socket) {
  struct {
    nlmsghdr header;
    ifinfomsg info;
  } request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  if (send(socket, &request, sizeof(request), 0) < 0) throw Failure{kStep, errno};
}

// For the caller's namespace; throws Failure.
std::vector<Link> OwnLinks() {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.ok()) throw Failure{kStep, errno};
  Ask(socket.get());
  std::vector<Link> links;
  // The kernel returns at most 32 KiB at once.
  alignas(nlmsghdr) static thread_local std::array<char, 64 * 1024> buffer;
  for (;;) {
    const ssize_t got = recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Failure{kStep, errno};
    auto length = static_cast<size_t>(got);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
      if (message->nlmsg_type == NLMSG_DONE) return links;
      if (message->nlmsg_type == NLMSG_ERROR) {
        throw Failure{kStep, static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error};
      }
      if (message->nlmsg_type == RTM_NEWLINK) links.push_back(ToLink(*message));
    }
  }
}

}  // namespace

Napi::Value NetnsLinks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  uint64_t cookie = 0;
  std::vector<Link> links;
  try {
    InNetns(info[0].As<Napi::Number>(), [&] {
      cookie = OwnNetnsCookie();
      links = OwnLinks();
    });
  } catch (const Failure& failure) {
    Throw(env, failure);
  }
  auto array = Napi::Array::New(env, links.size());
  for (size_t i = 0; i < links.size(); i++) {
    const Link& link = links[i];
    auto object = Napi::Object::New(env);
    object["index"] = Napi::Number::New(env, link.index);
    object["name"] = Napi::String::New(env, link.name);
    object["kind"] = Napi::String::New(env, link.kind);
    object["packets"] = Napi::Number::New(env, static_cast<double>(link.packets));
    object["bytes"] = Napi::Number::New(env, static_cast<double>(link.bytes));
    array[i] = object;
  }
  auto answer = Napi::Object::New(env);
  answer["cookie"] = Napi::Number::New(env, static_cast<double>(cookie));
  answer["links"] = array;
  return answer;
}

}  // namespace wirespan
