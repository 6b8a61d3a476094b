#!/usr/bin/env python3
"""Uses the live page in headless Chromium, as a person would.

    click.py PLATFORM_URL WORKSPACE SHOTS_FOLDER TOKEN_FILE

An agent runs for WORKSPACE and reads its token from TOKEN_FILE; the test beside
this file sets that up. The browser is driven by the same class as for the
simulator's report. Exits 1 at the first thing that is not as it should be.
"""

import importlib.util
import json
import pathlib
import sys
import time
import urllib.request

CLICKER = pathlib.Path(__file__).parents[3] / "crates/shell-sim/tests/report/click.py"
spec = importlib.util.spec_from_file_location("report_click", CLICKER)
report = importlib.util.module_from_spec(spec)
spec.loader.exec_module(report)
Browser, check, KEYS = report.Browser, report.check, report.KEYS

ROW = "[...document.querySelectorAll('tbody tr')].find((row) => row.dataset.key === arguments[0])"
MANY = 1000


def row_says(browser, key, words):
    browser.until(f"{words!r} in the row of {key}",
                  f"return {ROW}?.innerText.replace(/\\s+/g, ' ').includes(arguments[1])", key, words)


def log_says(browser, *words):
    browser.until(f"{words} in an entry of the log",
                  "return [...document.querySelectorAll('#log li')]"
                  ".some((entry) => arguments[0].every((word) => entry.innerText.includes(word)))", words)


def said(browser, words):
    browser.until(f"{words!r} is said", "return document.getElementById('said').textContent.includes(arguments[0])", words)


def press(browser, key, deed):
    """Clicks a button of a row."""
    browser.run(f"{ROW}.querySelector(`[data-do='${{arguments[1]}}']`).id = 'press-this'", key, deed)
    browser.click("#press-this")
    browser.run("document.getElementById('press-this').removeAttribute('id')")


def beats(browser, workspace):
    return browser.run(f"return Number({ROW}.parts.beats.textContent.replaceAll(',', ''))", workspace)


def beats_on(browser, workspace):
    before = beats(browser, workspace)
    browser.until(f"beats of {workspace} beyond {before}",
                  f"return Number({ROW}.parts.beats.textContent.replaceAll(',', '')) > arguments[1]",
                  workspace, before + 1)


def shows_what_is(browser, workspace):
    row_says(browser, workspace, "online")
    row_says(browser, workspace, "every")
    row_says(browser, "reviewer", "degraded disk quota exceeded while it wrote its notes")
    row_says(browser, "newcomer", "provisioning never –")
    beats_on(browser, workspace)
    browser.until("beats a second", "return Number(document.getElementById('rate').textContent) > 0")
    left = browser.run(f"return {ROW}.parts.left.textContent", workspace)
    check(left.endswith(" s") and 50 <= int(left.split()[0]) <= 60, f"it counts down from its 60 s: {left}")
    row_says(browser, "d0000003", "completed")
    rows = browser.run(f"return [...{ROW}.querySelectorAll('td.row')].map((cell) => cell.innerText)", "d0000003")
    check(rows[0] in ("pending", "dispatched") and "Half of it was done." in rows[1],
          f"one row knows of the end, the other does not yet: {rows}")
    print("shows: statuses, beats, countdown, a delegation between its two rows")


def peers_words_are_text(browser):
    row_says(browser, "d0000002", "<img src=x onerror=alert(1)></script><b>")
    log_says(browser, "to the user", "<img src=x onerror=alert(1)>")
    check(browser.run("return document.querySelectorAll('img, td b, #log b, #log script').length") == 0,
          "no element came from a peer")
    print("a peer's markup is text")


def completes(browser):
    press(browser, "d0000001", "complete")
    said(browser, "d0000001 is completed")
    row_says(browser, "d0000001", "completed Done. All of it is in good order. finished")
    log_says(browser, "by hand", "finished d0000001: completed")
    log_says(browser, "self-message", "[completed] Delegation d0000001")
    # By keyboard alone, and the focus is not lost with the button.
    browser.run(f"{ROW}.querySelector(\"[data-do='fail']\").focus()", "d0000004")
    browser.keys(KEYS["enter"])
    row_says(browser, "d0000004", "failed")
    browser.until("the focus stays in the row", f"return {ROW}.contains(document.activeElement)", "d0000004")
    log_says(browser, "to the user", "Delegation failed")
    print("finish: by click and by key; the agent's message and the user's notification arrive")


def delegates(browser, workspace):
    press(browser, workspace, "delegate")
    said(browser, f"{workspace} has delegated p")
    made = browser.text("#said").split()[-1].rstrip(".")
    row_says(browser, made, f"{workspace} → peer")
    check(browser.run("return document.querySelector('#delegation-table tbody tr').dataset.key") == made,
          "the newest stands at the top")
    press(browser, made, "complete")
    log_says(browser, "self-message", f"[completed] Delegation {made}")
    print("delegate: a new one at the top, told when completed")


def rotates(browser, workspace, token_file):
    old = token_file.read_text()
    press(browser, workspace, "token")
    browser.until("the dialog is open", "return document.getElementById('token').open")
    token = browser.run("return document.getElementById('token-value').value")
    check(len(token) > 20 and token != old, "a new token is shown")
    log_says(browser, "by hand", "replaced the token")
    log_says(browser, "refused", "401, not a valid token")
    before = beats(browser, workspace)
    token_file.write_text(token)
    browser.until("beats with the new token",
                  f"return Number({ROW}.parts.beats.textContent.replaceAll(',', '')) > arguments[1]", workspace, before)
    browser.keys(KEYS["escape"])
    browser.until("Escape closes it", "return !document.getElementById('token').open")
    check(token not in browser.run("return document.documentElement.outerHTML")
          and browser.run("return document.getElementById('token-value').value") == "", "nothing keeps the token")
    print("token: shown once, the old one refused, the new one used")


def breaks(browser, workspace):
    press(browser, workspace, "break")
    row_says(browser, workspace, "network broken")
    log_says(browser, "refused", workspace, "heartbeat: no connection")
    press(browser, workspace, "mend")
    browser.until("the network is whole", f"return !{ROW}.innerText.includes('network broken')", workspace)
    beats_on(browser, workspace)
    print("network: broken for one, mended, beats again")


def takes_away(browser, workspace, shots):
    browser.click("#outage-button")
    browser.until("it is away", "return /away.*back in \\d+ s/.test(document.getElementById('platform-state').innerText"
                  ".replace(/\\s+/g, ' '))")
    log_says(browser, "refused", "delegations: no connection")
    browser.shot(shots / "away.png")
    browser.click("#outage-button")
    browser.until("it is back", "return document.getElementById('platform-state').innerText.trim() === 'serving'")
    beats_on(browser, workspace)
    print("outage: away with its countdown, given back, beats again")


def makes(browser):
    browser.type("#create-id", "made <here>" + KEYS["enter"])
    browser.until("the dialog is open", "return document.getElementById('token').open")
    command = browser.text("#token-command")
    check("everbeat run --workspace-id 'made <here>'" in command, f"how to start it is told: {command}")
    browser.click("#token button[value=close]")
    row_says(browser, "made <here>", "online")
    press(browser, "made <here>", "break")
    row_says(browser, "made <here>", "network broken")
    print("workspace: made, with the command for its agent; a strange id is no trouble")


def filters(browser):
    browser.type("#filter", "newcomer")
    check(browser.run("return document.querySelectorAll('#workspace-table tbody tr').length") == 1, "one is left")
    check(browser.text("#workspaces-count").startswith("1 of "), "and it is said of how many")
    check(not browser.run("return document.getElementById('delegations-empty').hidden"), "nothing matches there")
    browser.run("const input = document.getElementById('filter'); input.value = '';"
                "input.dispatchEvent(new Event('input'))")
    browser.click("#chips [data-key=degraded]")
    check(browser.run("return [...document.querySelectorAll('#workspace-table tbody tr')].map((row) => row.dataset.key)")
          == ["reviewer"], "only the degraded one")
    browser.click("#chips [data-key=degraded]")
    browser.click("#kinds [data-key=admin]")
    check(browser.run("return [...document.querySelectorAll('#log li')].every((one) => one.innerText.includes('by hand'))"),
          "only what was done by hand")
    browser.click("#kinds [data-key=admin]")
    print("filter: words, a status, a kind")


def pauses(browser, workspace):
    browser.click("#pause")
    check("paused" in browser.text("#link"), "it says so")
    before = beats(browser, workspace)
    time.sleep(2)
    check(beats(browser, workspace) == before, "nothing moves")
    browser.run(f"{ROW}.querySelector(\"[data-do='delegate']\").focus()", workspace)
    browser.run("document.getElementById('pause').click()")
    browser.until("live again", "return document.getElementById('link').textContent.includes('live')")
    beats_on(browser, workspace)
    check(browser.run("return document.activeElement.dataset.do") == "delegate", "the focus stays where it was")
    print("pause: holds still, and goes on")


def is_usable_by_all(browser, what):
    wide = browser.run("return [document.scrollingElement.scrollWidth, innerWidth]")
    check(wide[0] <= wide[1], f"{what}: the page is {wide[0]} wide in {wide[1]}")
    nameless = browser.run(
        "return [...document.querySelectorAll('button, input, select')]"
        ".filter((one) => !one.getAttribute('aria-label') && !one.labels?.length && !one.textContent.trim())"
        ".map((one) => one.outerHTML)")
    check(not nameless, f"{what}: without a name: {nameless}")
    unreachable = browser.run("return [...document.querySelectorAll('button, input, select, #log')]"
                              ".filter((one) => one.tabIndex < 0).map((one) => one.outerHTML)")
    check(not unreachable, f"{what}: no key reaches {unreachable}")
    names = browser.run("return [...document.querySelectorAll('table caption')].map((one) => one.textContent)")
    check(len(names) == 2 and all(names), "each table says what it is")
    check(browser.run("return document.querySelectorAll('[aria-live]').length") == 1, "one voice only")
    shapes = browser.run("return [...document.querySelectorAll('.mark')].filter((one) => one.offsetParent"
                         " && !(one.querySelector('.shape') && one.textContent.trim())).length")
    check(shapes == 0, f"{what}: each status has a shape and a word")


def post(url, path, body):
    request = urllib.request.Request(f"{url}/{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


def beat(url, workspace, token):
    body = json.dumps({"workspace_id": workspace}).encode()
    request = urllib.request.Request(f"{url}/registry/heartbeat", body, {"authorization": f"Bearer {token}"})
    urllib.request.urlopen(request, timeout=60).read()


def stays_quick(browser, url):
    tokens = {name: post(url, "admin/workspaces", {"id": name})["token"]
              for name in (f"many-{at:04}" for at in range(MANY))}
    browser.until("all are known", "return Number(document.getElementById('workspaces-count').textContent) > arguments[0]",
                  MANY)
    rows = browser.run("return document.querySelectorAll('#workspace-table tbody tr').length")
    check(rows == 100, f"{rows} rows stand there, the others are one click away")
    browser.click("#workspaces-more")
    rows = browser.run("return document.querySelectorAll('#workspace-table tbody tr').length")
    check(rows == 200, f"{rows} rows after one click")
    took = browser.run(
        "const input = document.getElementById('filter'); input.value = 'many-0777'; const from = performance.now();"
        "input.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - from")
    check(browser.run("return document.querySelectorAll('#workspace-table tbody tr').length") == 1, "one is found")
    check(took < 500, f"the filter takes {took:.0f} ms")
    clear = browser.run(
        "const input = document.getElementById('filter'); input.value = ''; const from = performance.now();"
        "input.dispatchEvent(new Event('input')); document.body.offsetHeight; return performance.now() - from")
    browser.run(
        "window.touched = new Set(); window.moved = 0;"
        "new MutationObserver((all) => all.forEach((one) => {"
        "  if (one.target.tagName === 'TBODY') window.moved += 1;"
        "  const row = (one.target.closest ?? one.target.parentElement.closest).call("
        "    one.target.closest ? one.target : one.target.parentElement, 'tr');"
        "  const cell = row?.parts?.beats;"
        "  if (cell && (cell === one.target || cell.contains(one.target))) window.touched.add(row.dataset.key);"
        "})).observe(document.querySelector('#workspace-table tbody'),"
        " { subtree: true, childList: true, characterData: true });")
    for _ in range(3):
        beat(url, "many-0005", tokens["many-0005"])
    browser.until("its beats", f"return {ROW}.parts.beats.textContent === '3'", "many-0005")
    touched = browser.run("return [...window.touched].filter((key) => key.startsWith('many-'))")
    check(touched == ["many-0005"], f"only the row that changed: {touched}")
    check(browser.run("return window.moved") == 0, "and no row moved")
    for at in range(250):
        post(url, "admin/delegations", {"workspace": "many-0005", "target": "reviewer", "id": f"e{at:07}"})
    row_says(browser, "e0000249", "many-0005 → reviewer")
    browser.until("the newest 200 are kept", "return document.getElementById('delegations-count').textContent === '200'")
    check(browser.run("return document.querySelectorAll('#delegation-table tbody tr').length") == 25, "25 are shown")
    print(f"{MANY} workspaces: filtered in {took:.0f} ms, shown again in {clear:.0f} ms, one row changed for one beat")


def screens(url, shots):
    for name, width, height, dark in [
        ("desktop-light", 1400, 900, False), ("desktop-dark", 1400, 900, True),
        ("phone-light", 390, 844, False), ("phone-dark", 360, 740, True), ("tablet", 820, 1100, False),
    ]:
        browser = Browser(width, height, dark)
        try:
            browser.open(f"{url}/ui/")
            browser.until("live", "return document.getElementById('link').textContent.includes('live')")
            is_usable_by_all(browser, name)
            browser.shot(shots / f"{name}.png")
            if width < 500:
                browser.run("document.getElementById('delegations').scrollIntoView()")
                browser.shot(shots / f"{name}-delegations.png")
            check(not browser.errors(), f"{name}: {browser.errors()}")
        finally:
            browser.close()
    print(f"screens: five, none wider than its window; in {shots}")


def main():
    url, workspace, shots, token_file = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
    browser = Browser(1400, 900)
    try:
        browser.open(f"{url}/ui/")
        shows_what_is(browser, workspace)
        peers_words_are_text(browser)
        completes(browser)
        delegates(browser, workspace)
        rotates(browser, workspace, token_file)
        breaks(browser, workspace)
        takes_away(browser, workspace, shots)
        screens(url, shots)
        makes(browser)
        filters(browser)
        pauses(browser, workspace)
        is_usable_by_all(browser, "after all that")
        stays_quick(browser, url)
        check(not browser.errors(), f"the browser complains: {browser.errors()}")
    except SystemExit:
        browser.shot(shots / "failed.png")
        raise
    finally:
        browser.close()
    print("all well")


if __name__ == "__main__":
    main()
