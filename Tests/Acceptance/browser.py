"""Chromium as a supervisor has it, driven by Selenium. What the console says, and what the policy of the page forbade, fails a test."""

import pathlib
import re
import time
from importlib import resources

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

# What is wrong where, as axe-core finds it; `serious` and `critical` are what its makers call so.
AXE = (resources.files("axe_core_python") / "axe.min.js").read_text()


class Browser:
    def __init__(self, language: str = "en", width: int = 1280, height: int = 800, dark: bool = False, time_zone: str | None = None,
                 resolving: dict[str, str] | None = None, refused: tuple[int, ...] = ()):
        """`resolving` says to which addresses names lead; `refused` with which statuses a server may refuse what is asked, beside the usual."""
        self.refused = (404, 409, 422, 502, 503, *refused)
        options = webdriver.ChromeOptions()
        if resolving:
            options.add_argument("--host-resolver-rules=" + ", ".join(f"MAP {name} {address}" for name, address in resolving.items()))
        # Root has no sandbox of its own in a container, and /dev/shm is small there.
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={width},{height}",
                         f"--lang={language}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.binary_location = "/usr/bin/chromium"
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(30)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        if time_zone:
            self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": time_zone})

    def quit(self) -> None:
        self.driver.quit()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, failure, *_) -> None:
        try:
            if failure is None:
                assert self.complaints() == []
        finally:
            self.quit()

    def open(self, url: str) -> "Browser":
        """Opens an address and waits until its page is shown."""
        self.driver.get(url)
        return self.wait_until_shown()

    def wait_until_shown(self) -> "Browser":
        self.until(lambda: self.run("return document.querySelector('main')?.children.length > 0 "
                                    "&& !document.querySelector('main').hasAttribute('aria-busy')"), "the page to be shown")
        return self

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, condition, what: str, within: float = 10):
        """Waits for what the condition returns to be true, and returns it."""
        deadline = time.monotonic() + within
        while True:
            try:
                value = condition()
                if value:
                    return value
            except (StaleElementReferenceException, JavascriptException):
                pass
            except WebDriverException as error:
                # An element that went while it was looked at, as Chromium's driver says it now and then.
                if "does not belong to the document" not in str(error):
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {within} s for {what}; the page says:\n{self.text()[:3000]}\n{self.console()}")
            time.sleep(0.02)

    def text(self, css: str = "body") -> str:
        try:
            return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css)
        except WebDriverException as error:
            return f"({error.msg})"

    def find(self, css: str, text: str | None = None, within: float = 10) -> WebElement:
        """The first visible element, with the text in it if given."""
        def found():
            for element in self.driver.find_elements(By.CSS_SELECTOR, css):
                if element.is_displayed() and (text is None or text in element.text or text in (element.get_attribute("aria-label") or "")):
                    return element
            return None
        return self.until(found, f"{css}{'' if text is None else f' with “{text}”'}", within)

    def is_there(self, css: str, text: str | None = None) -> bool:
        return any(element.is_displayed() and (text is None or text in element.text)
                   for element in self.driver.find_elements(By.CSS_SELECTOR, css))

    def until_gone(self, css: str, text: str | None = None, within: float = 10) -> None:
        self.until(lambda: not self.is_there(css, text), f"{css} with “{text}” to go", within)

    def click(self, css: str, text: str | None = None, within: float = 10) -> None:
        def clicked():
            element = self.find(css, text, within)
            self.run("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True
        self.until(clicked, f"{css} to be clicked", within)

    def type(self, css: str, value: str, text: str | None = None) -> None:
        """Replaces what a field holds."""
        field = self.find(css, text)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value)

    def choose(self, css: str, value: str) -> None:
        self.find(css)
        self.run("const [css, value] = arguments; const field = document.querySelector(css); field.value = value; "
                 "field.dispatchEvent(new Event('change', {bubbles: true}))", css, value)

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def cookie(self, name: str) -> str:
        """The value of a cookie, also of one that scripts do not see."""
        return self.driver.get_cookie(name)["value"]

    def console(self) -> list[str]:
        """What the console has said since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def complaints(self) -> list[str]:
        """The same but for a server that is away and what one refused: both are shown to the viewer."""
        expected = "|".join(str(status) for status in self.refused)
        return [line for line in self.console() if not re.search(rf"net::ERR_|status of ({expected})\b", line)]

    def accessibility(self) -> list[str]:
        """What axe-core calls serious or critical."""
        self.run(AXE)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations))")
        return [f"{one['impact']}: {one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:4])
                for one in found if one["impact"] in ("serious", "critical")]

    def width(self) -> int:
        return self.run("return document.documentElement.scrollWidth")

    def screenshot(self, path: pathlib.Path) -> None:
        self.driver.save_screenshot(str(path))
