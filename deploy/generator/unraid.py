"""The template of Unraid's Community Applications."""

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement


def template(facts: dict[str, Any]) -> str:
    machine = facts["machines"]["unraid"]
    root = Element("Container", version="2")
    for name, text in _texts(facts).items():
        SubElement(root, name).text = text
    port, data = str(facts["port"]), str(facts["data"])
    _config(root, "Port", "Web page", port, port, "Where Tempo's pages are.", mode="tcp")
    _config(root, "Path", "Data", data, machine["folder"], "All that Tempo keeps.", mode="rw")
    _config(root, "Variable", "PUID", "PUID", str(machine["puid"]), "Whose the data is.")
    _config(root, "Variable", "PGID", "PGID", str(machine["pgid"]), "The group it belongs to.")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _texts(facts: dict[str, Any]) -> dict[str, str]:
    capabilities = " ".join(f"--cap-add={name}" for name in facts["capabilities"])
    return {
        "Name": facts["name"],
        "Repository": facts["image"],
        "Network": "bridge",
        "Shell": "sh",
        "Privileged": "false",
        "Support": facts["home"],
        "Project": facts["home"],
        "Overview": facts["description"],
        "Category": "Productivity: Tools:Utilities",
        "WebUI": f"http://[IP]:[PORT:{facts['port']}]/",
        "TemplateURL": f"{facts['home']}/deploy/unraid/tempo.xml",
        "Icon": f"{facts['home']}/deploy/unraid/tempo.png",
        "ExtraParams": f"--stop-timeout={facts['stop_s']} --read-only --tmpfs=/tmp --cap-drop=ALL {capabilities}"
        " --security-opt=no-new-privileges",
    }


def _config(
    root: Element, kind: str, name: str, target: str, value: str, text: str, *, mode: str = ""
) -> None:
    entry = SubElement(
        root,
        "Config",
        Name=name,
        Target=target,
        Default=value,
        Mode=mode,
        Description=text,
        Type=kind,
        Display="always",
        Required="true",
        Mask="false",
    )
    entry.text = value
