# Starts many processes, 32 at a time, each with its own name and with attributes as long as the kernel accepts.
import os, subprocess, sys
program, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
lies = "host.name=spoofed,host.id=1,container.id=evil,k8s.pod.uid=evil,cloud.account.id=1"
running = []
for i in range(count):
    name = f"crowd-{i}-".ljust(15_000, "x")
    says = lies if i % 2 else lies.ljust(8_000, "x")
    env = {"OTEL_SERVICE_NAME": name, "OTEL_RESOURCE_ATTRIBUTES": says, "PATH": os.environ["PATH"]}
    running.append(subprocess.Popen([program, port], env=env, user=65534))
    if len(running) == 32:
        running.pop(0).wait()
sys.exit(max(child.wait() for child in running))
