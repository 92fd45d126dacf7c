#!/usr/bin/env python3
"""An inventory of the running instances of a Vast.ai account, by what `vastai show instances --raw` prints.

The direct port where there is one, otherwise the proxy's, which is one higher for images with Jupyter. A label names a host; the id is
behind it where several instances have it, and alone where there is none.
"""

import collections
import json
import subprocess
import sys


def address(instance):
    direct = (instance.get("ports") or {}).get("22/tcp")
    if direct and instance.get("public_ipaddr"):
        return instance["public_ipaddr"].strip(), int(direct[0]["HostPort"])
    if instance.get("ssh_host") and instance.get("ssh_port"):
        jupyter = "jupyter" in (instance.get("image_runtype") or "")
        return instance["ssh_host"], int(instance["ssh_port"]) + jupyter
    return None


def main():
    if sys.argv[1:2] == ["--host"]:
        print("{}")
        return
    shown = subprocess.run(["vastai", "show", "instances", "--raw"], stdout=subprocess.PIPE, check=True)
    instances = json.loads(shown.stdout)
    if isinstance(instances, dict):
        if "instances" not in instances:
            sys.exit(f"vastai: {instances.get('msg') or instances.get('error') or 'that is no list of instances'}")
        instances = instances["instances"]
    running = [instance for instance in instances if instance.get("actual_status") == "running"]
    labels = collections.Counter(instance.get("label") for instance in running)
    hosts = {}
    for instance in running:
        found, label = address(instance), instance.get("label")
        if found:
            number = str(instance["id"])
            name = (label if labels[label] == 1 else f"{label}-{number}") if label else number
            hosts[name] = {"ansible_host": found[0], "ansible_port": found[1], "ansible_user": "root"}
    print(json.dumps({"all": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}}))


main()
