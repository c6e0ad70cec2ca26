"""Compiles an OCI seccomp section (JSON on stdin) with libseccomp, as a runtime does; prints the filter as JSON."""
import base64
import json
import sys
import tempfile

import seccomp

ARCHES = {"SCMP_ARCH_X86_64": "x86_64", "SCMP_ARCH_AARCH64": "aarch64"}
KINDS = {"SCMP_ACT_ALLOW": lambda rule: seccomp.ALLOW, "SCMP_ACT_ERRNO": lambda rule: seccomp.ERRNO(rule["errnoRet"])}


def build(section, optimize):
    filter = seccomp.SyscallFilter(seccomp.ERRNO(section["defaultErrnoRet"]))
    filter.set_attr(seccomp.Attr.CTL_OPTIMIZE, optimize)
    # A new filter is for the machine's own architecture; rules apply to those that it has when they are added.
    for oci_name, name in ARCHES.items():
        arch = seccomp.Arch(name)
        if oci_name in section["architectures"] and not filter.exist_arch(arch):
            filter.add_arch(arch)
    for oci_name, name in ARCHES.items():
        arch = seccomp.Arch(name)
        if oci_name not in section["architectures"] and filter.exist_arch(arch):
            filter.remove_arch(arch)
    unknown = set()
    for rule in section["syscalls"]:
        action = KINDS[rule["action"]](rule)
        args = [seccomp.Arg(a["index"], seccomp.MASKED_EQ, a["value"], a["valueTwo"]) for a in rule.get("args", [])]
        for name in rule["names"]:
            if seccomp.resolve_syscall(seccomp.Arch(), name) == -1:
                unknown.add(name)
                continue
            filter.add_rule(action, name, *args)
    with tempfile.TemporaryFile() as out:
        filter.export_bpf(out)
        out.seek(0)
        return out.read(), sorted(unknown)


section = json.load(sys.stdin)
plain, unknown = build(section, 1)
tree, _ = build(section, 2)
print(
    json.dumps(
        {
            "bpf": base64.b64encode(plain).decode(),
            "treeBpf": base64.b64encode(tree).decode(),
            "unknown": unknown,
        }
    )
)
