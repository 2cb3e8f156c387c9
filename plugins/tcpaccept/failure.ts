// Why accept() fails.
import { constants } from "node:os";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";

const { errno } = constants;

const NAMES = [
  "too_many_open_files",
  "too_many_open_files_in_system",
  "out_of_memory",
  "connection_aborted",
  "permission_denied",
  "_OTHER",
] as const;

type AcceptError = (typeof NAMES)[number];

const BY_NUMBER: Readonly<Record<number, AcceptError>> = {
  [errno.EMFILE]: "too_many_open_files",
  [errno.ENFILE]: "too_many_open_files_in_system",
  [errno.ENOMEM]: "out_of_memory",
  [errno.ENOBUFS]: "out_of_memory",
  [errno.ECONNABORTED]: "connection_aborted",
  [errno.EPERM]: "permission_denied",
  [errno.EACCES]: "permission_denied",
};

export const FAILURE = {
  "error.type": {
    type: "string",
    requirement: "required",
    enum: NAMES,
    usual: "each",
    description: "Why the call failed: the process's limit of open files, the system's, memory, a firewall.",
  },
} as const satisfies AttributeSpecs;

/** The name of the error that accept() returned. */
export function acceptErrorOf(number: number): AcceptError {
  return BY_NUMBER[number] ?? "_OTHER";
}
