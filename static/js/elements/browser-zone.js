// <browser-zone>: offers the browser's time zone in the field that it wraps, as long as nobody has typed there.
class BrowserZone extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("input");
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!field || !zone || "keep" in this.dataset || field.value !== field.defaultValue) return;
    const known = document.getElementById(field.getAttribute("list"));
    if (!known || ![...known.options].some((option) => option.value === zone)) return;
    field.value = zone;
    const status = this.querySelector(".found");
    status.textContent = `Your browser is in ${zone}.`;
    field.addEventListener(
      "input",
      () => {
        status.textContent = "";
      },
      { once: true },
    );
  }
}

customElements.define("browser-zone", BrowserZone);
