#!/usr/bin/env python3
"""Clicks through a report page in headless Chromium, as a person would.

    click.py PAGE.html SHOTS_FOLDER [--load-ms-max N] [--start-only]

Speaks to chromedriver by its plain HTTP protocol: nothing to install beside
chromium and chromium-driver. Says what it measured; exits 1 at the first
thing that is not as it should be.
"""

import base64
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"enter": "\ue007", "shift": "\ue008", "down": "\ue015", "left": "\ue012", "escape": "\ue00c"}


class Browser:
    """One session of chromedriver."""

    def __init__(self, width, height, dark=False):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.base = f"http://127.0.0.1:{port}"
        self._wait_for_driver()
        options = {"args": [*ARGUMENTS, f"--window-size={width},{height}"]}
        capabilities = {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }}
        self.session = f"/session/{self.post('/session', {'capabilities': capabilities})['sessionId']}"
        self.devtools("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        })
        self.devtools("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        })

    def _wait_for_driver(self):
        for _ in range(200):
            try:
                if self.send("GET", "/status")["ready"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.05)
        raise SystemExit("chromedriver does not answer")

    def send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"})
        request.get_method = lambda: method
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.read().decode()[:600]}") from error

    def post(self, path, body):
        return self.send("POST", path, body)

    def devtools(self, command, params):
        return self.post(f"{self.session}/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, url):
        self.post(f"{self.session}/url", {"url": url})
        self.until("the page is ready", "return document.documentElement.dataset.ready !== undefined")

    def run(self, script, *arguments):
        return self.post(f"{self.session}/execute/sync", {"script": script, "args": arguments})

    def until(self, what, script, *arguments):
        for _ in range(200):
            if self.run(script, *arguments):
                return
            time.sleep(0.05)
        raise SystemExit(f"waited in vain: {what}")

    def find(self, css):
        return self.post(f"{self.session}/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.post(f"{self.session}/element/{self.find(css)}/click", {})

    def type(self, css, text):
        self.post(f"{self.session}/element/{self.find(css)}/value", {"text": text})

    def keys(self, *keys):
        strokes = [{"type": "keyDown", "value": key} for key in keys]
        strokes += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.post(f"{self.session}/actions", {"actions": [{"type": "key", "id": "k", "actions": strokes}]})

    def pointer(self, kind, *steps):
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": list(steps)}
        self.post(f"{self.session}/actions", {"actions": [source]})

    def wheel(self, x, y, delta):
        scroll = {"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": delta, "duration": 0}
        source = {"type": "wheel", "id": "wheel", "actions": [scroll]}
        self.post(f"{self.session}/actions", {"actions": [source]})

    def text(self, css):
        return self.run("return document.querySelector(arguments[0]).textContent", css)

    def shot(self, path):
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        path.write_bytes(base64.b64decode(self.send("GET", f"{self.session}/screenshot")))

    def errors(self):
        log = self.post(f"{self.session}/se/log", {"type": "browser"})
        return [line["message"] for line in log if line["level"] in ("SEVERE", "WARNING")]

    def close(self):
        try:
            self.send("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()


def check(holds, what):
    if not holds:
        raise SystemExit(f"NOT SO: {what}")


def span(browser):
    """Microseconds in view."""
    return browser.run("return view.to - view.from")


def at(browser, x_share, y):
    """A place in the lanes, in the window."""
    return browser.run(
        "const box = lanes.getBoundingClientRect();"
        "return [Math.round(box.left + size.left + (box.width - size.left) * arguments[0]),"
        " Math.round(box.top + arguments[1])]", x_share, y)


def press(browser, place):
    x, y = place
    browser.pointer("mouse", {"type": "pointerMove", "x": x, "y": y, "duration": 0},
                    {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0})


def row_middle(browser, label):
    return browser.run(
        "const row = drawnRows.find((row) => row.label === arguments[0]);"
        "return row.top + size.row / 2", label)


def loads(browser, url, most):
    """The load, several times: the median counts."""
    times = []
    for _ in range(5):
        browser.open(url)
        times.append(browser.run("return Number(document.documentElement.dataset.ready)"))
    lines = browser.run("return COUNT")
    times.sort()
    print(f"load: {lines} lines ready in {times[2]} ms (of 5: {times})")
    check(times[2] < most, f"the page is ready within {most} ms")


def starts(browser):
    broken = browser.run("return head.verdict.length")
    if broken:
        check("broken" in browser.text("#verdict"), "the verdict tells of broken promises")
        check(browser.run(
            "return chosen === brokenLines[0] && view.from <= lineAt[chosen] && lineAt[chosen] <= view.to"
        ), "the first broken promise is chosen and in view")
        check(browser.run("return document.querySelectorAll('#broken button').length") == broken,
              "each broken promise has its button")
    else:
        check("kept" in browser.text("#verdict"), "the verdict says that all was kept")
    check(browser.run("return performance.getEntriesByType('resource').length") == 0, "nothing is loaded")


def zooms(browser):
    browser.click("#fit")
    whole = span(browser)
    check(whole == browser.run("return END"), "All shows the whole run")
    browser.click("#zoom-in")
    check(abs(span(browser) - whole / 2) < 2, "the button zooms in by two")
    browser.click("#zoom-out")
    check(span(browser) == whole, "and out")
    x, y = at(browser, 0.25, 100)
    before = browser.run("return atOf(arguments[0] - lanes.getBoundingClientRect().left)", x)
    browser.wheel(x, y, -900)
    check(span(browser) < whole / 2, "the wheel zooms")
    after = browser.run("return atOf(arguments[0] - lanes.getBoundingClientRect().left)", x)
    check(abs(before - after) < whole / 200, "the wheel zooms around its pointer")
    browser.run("lanes.focus()")
    wide = span(browser)
    browser.keys("+")
    check(span(browser) < wide, "the plus key zooms in")
    browser.keys("-")
    start = browser.run("return view.from")
    browser.keys(KEYS["left"])
    check(browser.run("return view.from") < start, "the left arrow goes to earlier times")
    for _ in range(60):
        browser.keys("+")
    check(span(browser) >= 1000, "zooming in ends at a millisecond")
    browser.keys("0")
    check(span(browser) == whole, "the key 0 shows the whole run")
    print("zoom: buttons, wheel, keys")


def drags(browser):
    browser.click("#fit")
    browser.run("zoom(8)")
    start = browser.run("return view.from")
    x, y = at(browser, 0.3, 150)
    move = lambda x: {"type": "pointerMove", "x": x, "y": y, "duration": 0}
    browser.pointer("mouse", move(x), {"type": "pointerDown", "button": 0}, move(x + 60), move(x + 120),
                    {"type": "pointerUp", "button": 0})
    check(browser.run("return view.from") < start, "dragging to the right shows earlier times")
    print("drag: pans")


def pinches(browser):
    browser.click("#fit")
    whole = span(browser)
    browser.run("lanes.scrollIntoView({ block: 'center' })")
    x, y = at(browser, 0.5, 120)
    touch = lambda kind, apart: browser.devtools("Input.dispatchTouchEvent", {
        "type": kind,
        "touchPoints": [] if kind == "touchEnd" else [
            {"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}],
    })
    touch("touchStart", 30)
    for apart in range(35, 95, 5):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    check(span(browser) < whole / 2, "two fingers zoom in")
    print(f"pinch: zooms by {whole / span(browser):.1f}")


def chooses(browser):
    browser.click("#fit")
    line = browser.run("return rowLines[ROWS.findIndex((row) => row.label === 'Process')][0]")
    browser.run("setView(lineAt[arguments[0]] - 1e6, lineAt[arguments[0]] + 60e6)", line)
    browser.run("lanes.scrollIntoView({ block: 'nearest' })")
    share = browser.run("return (lineAt[arguments[0]] - view.from) / (view.to - view.from)", line)
    x, y = at(browser, share, row_middle(browser, "Process"))
    press(browser, (x + 2, y))
    check(browser.run("return chosen") == line, "a click on a sign chooses its line")
    check("machine" in browser.text("#detail-title"), "the chosen line is told")
    check(browser.run("return document.querySelector('.row[aria-selected=true]') !== null"),
          "the chosen line is marked in the list")
    check(browser.run(
        "return document.getElementById(document.getElementById('lines').getAttribute('aria-activedescendant'))"
        "?.getAttribute('role') === 'row'"), "the grid names its active row")
    browser.run("document.getElementById('lines').focus()")
    browser.keys(KEYS["down"])
    check(browser.run("return chosen") == line + 1, "the down key goes to the next line")
    rows = browser.run("return document.querySelectorAll('.row').length")
    check(0 < rows < 120, f"the list holds the rows in sight alone, not {rows}")
    print("choose: click and arrow keys, list and detail agree")


def searches(browser, word):
    browser.run("lanes.focus()")
    browser.keys("/")
    check(browser.run("return document.activeElement.id") == "find", "the slash goes to the search")
    browser.type("#find", word)
    browser.until("hits are counted", "return /\\d/.test(document.getElementById('hits').textContent)")
    lines = browser.run("return search.lines")
    check(len(lines) > 1, f"{word} is found")
    check(browser.run(
        "return search.lines.every((line) => textOf(line).includes(arguments[0]))", word),
        "each hit holds the id")
    check(not browser.run(
        "const more = new RegExp('(^|[^\\\\w-])' + arguments[0] + '(?![\\\\w-])');"
        "return search.lines.some((line) => !more.test(textOf(line)))", word),
        "as a whole id, not as a part of a longer one")
    first = browser.run("return chosen")
    check(first in lines, "a hit is chosen")
    browser.keys(KEYS["enter"])
    check(browser.run("return chosen") == lines[(lines.index(first) + 1) % len(lines)], "Enter: the next hit")
    browser.click("#hit-before")
    check(browser.run("return chosen") == first, "and back")
    check(browser.text("#hits").startswith(f"{lines.index(first) + 1} / {len(lines)}"), "the place is told")
    check(word in browser.text("#detail-text"), "the detail holds the id")
    print(f"search: {word}, {len(lines)} hits, next and before")
    browser.type("#find", KEYS["escape"])


def follows_id(browser):
    """An id of the chosen line is a button that searches for it."""
    line = browser.run("return rowLines[ROWS.findIndex((row) => row.label === 'Self-message')][0]")
    browser.run("choose(arguments[0])", line)
    name = browser.text("#detail-ids button")
    check(name.startswith("everbeat-"), f"the message's id is offered, not {name}")
    browser.click("#detail-ids button")
    check(browser.run("return search.lines.length") > 1, "and is found elsewhere too")
    browser.run("searchFor('')")
    print("detail: an id leads to its other lines")


def filters(browser):
    count = browser.run("return COUNT")
    browser.click("#filters > summary")
    for chip in ["agent", "platform"]:
        browser.click(f"#parties .tone-{chip}")
    check(browser.run("return passing.every((line) => !['agent', 'platform'].includes(partyOf(line)))"),
          "lines of parties that are off are gone")
    browser.click("#clear")
    check(browser.run("return passing.length") == count, "Clear brings them back")
    browser.run("const kind = document.getElementById('kind'); kind.value = 'agent beat';"
                "kind.dispatchEvent(new Event('change'))")
    check(browser.run("return passing.length > 0 && passing.every((line) => kindOf(line) === 'beat')"),
          "one kind alone")
    browser.click("#clear")
    browser.type("#words", "heartbeat -200")
    browser.until("the words are applied", "return passing.length < COUNT")
    check(browser.run("return passing.every((line) => !(kindOf(line) + textOf(line)).includes('200'))"),
          "words that must not stand in a line")
    shown = browser.text("#filtered")
    check(re.match(r"[\d ]+ of [\d ]+ lines", shown), f"the filter says what it leaves: {shown}")
    browser.click("#clear")
    browser.type("#words", "no such words anywhere")
    browser.until("nothing passes", "return passing.length === 0")
    check(browser.run("return !document.getElementById('no-lines').hidden"), "an empty list says so")
    browser.click("#clear")
    browser.keys(KEYS["escape"])
    print("filter: party, kind, words, and clear")


def in_crowd(browser, x, number):
    """A place in a workspace's lane, in the window; x from the lanes' left."""
    return browser.run(
        "const box = crowd.getBoundingClientRect();"
        "return [Math.round(box.left + arguments[0]),"
        " Math.round(box.top + (arguments[1] + .5) * size.row - crowd.scrollTop)]", x, number)


def crowds(browser):
    """A lane for each workspace of a fleet."""
    count = browser.run("return head.workspaces.length")
    check(browser.run("return !crowd.hidden && crowd.scrollHeight === head.workspaces.length * size.row"),
          "each workspace has its lane")
    check(browser.run("return drawnRows.some((row) => row.graph)"), "the platform's load is drawn")
    alone = ("return passing.length > 0 && passing.length < COUNT && passing.some((line) => lineOwner[line])"
             " && passing.every((line) => !lineOwner[line] || lineOwner[line] === arguments[0])")
    press(browser, in_crowd(browser, 20, 2))
    check(browser.run(alone, 3), "a click on a name shows that workspace alone")
    press(browser, in_crowd(browser, 20, 2))
    check(browser.run("return passing.length === COUNT"), "and again, all of them")
    browser.wheel(*in_crowd(browser, 300, 2), 100_000)
    browser.until("the lanes are scrolled", "return crowd.scrollTop > 0")
    check(browser.run("return crowd.scrollTop + crowd.clientHeight >= crowd.scrollHeight - 1"),
          "the wheel goes to the last lanes")
    press(browser, in_crowd(browser, 20, count - 1))
    check(browser.run(alone, count), "the last name is the last workspace's")
    browser.run("clearFilter()")
    line = browser.run("return crowdLines[head.workspaces.length - 1][LAYERS[0]][3]")
    browser.run("setView(lineAt[arguments[0]] - 5e6, lineAt[arguments[0]] + 5e6)", line)
    press(browser, in_crowd(browser, browser.run("return xOf(lineAt[arguments[0]])", line), count - 1))
    check(browser.run("return chosen") == line, "a click on a sign in a lane chooses its line")
    name = browser.run("return head.workspaces[1]")
    browser.run("searchFor(arguments[0])", name)
    check(browser.run("return search.lines.length > 10 && search.lines.every((line) => lineOwner[line] === 2)"),
          "a workspace's name finds its lines")
    check(browser.run("return crowd.scrollTop <= size.row"), "and its lane comes into view")
    browser.run("searchFor('')")
    print(f"crowd: {count} lanes, one alone, scrolled, chosen from")


def is_data(browser):
    """What a trace holds is shown, never run."""
    check(browser.run("return document.scripts.length") == browser.run(
        "return document.querySelectorAll('script.texts').length + 2"), "no script came from the trace")
    check(not browser.run("return document.querySelector('#lines-all img, pre *, .row .words *')"),
          "no element came from the trace")


def fits(browser, what):
    wide = browser.run("return [document.scrollingElement.scrollWidth, innerWidth]")
    check(wide[0] <= wide[1], f"{what}: the page is {wide[0]} wide in {wide[1]}")
    small = browser.run(
        "return [...document.querySelectorAll('button, input, select, summary')]"
        ".filter((one) => one.offsetParent && !one.getAttribute('aria-label') && !one.labels?.length"
        " && !one.textContent.trim()).map((one) => one.outerHTML)")
    check(not small, f"{what}: without a name: {small}")


def screens(url, shots):
    for name, width, height, dark in [
        ("desktop-light", 1400, 900, False), ("desktop-dark", 1400, 900, True),
        ("phone-light", 360, 740, False), ("phone-dark", 360, 740, True), ("tablet", 820, 1100, False),
    ]:
        browser = Browser(width, height, dark)
        try:
            browser.open(url)
            fits(browser, name)
            browser.shot(shots / f"{name}.png")
            browser.run("document.querySelector('.text').scrollIntoView()")
            if width < 900:
                browser.shot(shots / f"{name}-text.png")
                browser.run("scrollTo(0, 0)")
            browser.click("#fit")
            browser.shot(shots / f"{name}-whole.png")
            if name == "phone-light":
                pinches(browser)
                browser.run("scrollTo(0, 0)")
                browser.click("#filters > summary")
                fits(browser, "phone with its filter")
                browser.shot(shots / "phone-filter.png")
            if name == "desktop-light":
                browser.click("#filters > summary")
                browser.shot(shots / "desktop-filter.png")
                browser.keys(KEYS["escape"])
                browser.click("footer summary")
                browser.shot(shots / "desktop-keys.png")
                browser.devtools("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
                browser.click("footer summary")
                browser.shot(shots / "desktop-grey.png")
            check(not browser.errors(), f"{name}: {browser.errors()}")
        finally:
            browser.close()
    print(f"screens: five, none wider than its window; in {shots}")


def clicks(browser):
    zooms(browser)
    drags(browser)
    chooses(browser)
    searches(browser, "d15")
    follows_id(browser)
    filters(browser)


def main():
    page, shots = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    most = int(sys.argv[sys.argv.index("--load-ms-max") + 1]) if "--load-ms-max" in sys.argv else 2000
    shots.mkdir(parents=True, exist_ok=True)
    browser = Browser(1400, 900)
    try:
        loads(browser, page.as_uri(), most)
        starts(browser)
        browser.shot(shots / "start.png")
        if browser.run("return isFleet"):
            crowds(browser)
        elif "--start-only" not in sys.argv:
            clicks(browser)
        is_data(browser)
        complaints = browser.errors()
        check(not complaints, f"the browser complains: {complaints}")
    finally:
        browser.close()
    if "--start-only" not in sys.argv:
        screens(page.as_uri(), shots)
    print("all well")


if __name__ == "__main__":
    main()
