"""What a browser says and asks for beside what it shows."""

from dataclasses import dataclass, field

from playwright.sync_api import Dialog, Page, Request, Response


@dataclass
class Ears:
    """Notes errors on the console, requests to another host, answers that are errors, and pages without the policy."""

    url: str
    troubles: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Hear everything of one page."""
        page.on("pageerror", lambda error: self.troubles.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self.hear(page, message.type, message.text))
        page.on("request", self.ask)
        page.on("dialog", self.look_up)
        page.on("response", self.answer)

    def hear(self, page: Page, kind: str, text: str) -> None:
        """An error on the console; that a page which is looked for on purpose is missing is none."""
        if kind == "error" and "404 (Not Found)" not in text:
            self.troubles.append(f"{page.url}: {text}")

    def look_up(self, dialog: Dialog) -> None:
        """Nothing of Tempo's opens a dialog of the browser's: text from somewhere was run."""
        self.troubles.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def ask(self, request: Request) -> None:
        """A request to another host."""
        if not request.url.startswith(
            (self.url, self.url.replace("http", "ws", 1), "data:", "blob:")
        ):
            self.troubles.append(f"asked {request.url}")

    def answer(self, response: Response) -> None:
        """A page without the strict policy, or one that is not there."""
        if response.request.resource_type == "document":
            policy = response.headers.get("content-security-policy", "")
            if "default-src 'self'" not in policy or "unsafe" in policy:
                self.troubles.append(f"{response.url} has the policy `{policy}`")
            if response.status >= 400 and "nothing-here" not in response.url:
                self.troubles.append(f"{response.url} answered {response.status}")
