// The console's script: keeps what is on the page fresh, and copies, ages, themes
// and the keyboard. Every page works without it.
"use strict";
(() => {
  const hour = 3600, day = 86400;

  // Same words as ui.Ago in Go.
  const ago = (seconds) => {
    const s = Math.abs(seconds), word = (n, unit) => seconds < 0 ? `in ${n} ${unit}` : `${n} ${unit} ago`;
    if (s < 5) return "now";
    if (s < 60) return word(Math.floor(s), "s");
    if (s < hour) return word(Math.floor(s / 60), "min");
    if (s < 2 * day) return word(Math.floor(s / hour), "h");
    return word(Math.floor(s / day), "days");
  };
  const age = () => {
    for (const t of document.querySelectorAll("time[data-ago]")) {
      const text = ago((Date.now() - Date.parse(t.dateTime)) / 1000);
      if (t.textContent !== text) t.textContent = text;
    }
  };

  // A live region carries an id and the topics it shows; it is replaced by the
  // element of the same id in a fresh copy of its page: this one, or where the
  // region says, when this one is the answer to a form.
  const regions = () => [...document.querySelectorAll("[data-live][id]")];
  const wants = (el, topics) => topics.has("resync") || el.dataset.live.split(" ").some((t) => topics.has(t));
  const source = (el) => el.dataset.src || location.href;
  const busy = (el) => el.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);

  const swap = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    const open = new Set([...old.querySelectorAll("details[open][id]")].map((d) => d.id));
    const focus = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : "";
    for (const d of fresh.querySelectorAll("details[id]")) d.open = d.open || open.has(d.id);
    old.replaceWith(fresh);
    fresh.dispatchEvent(new CustomEvent("assim:fresh", {bubbles: true}));
    if (focus) document.getElementById(focus)?.focus({preventScroll: true});
  };

  // A form that looks back shows, while its slider is moved, what it would lead to,
  // and leaves the address of that moment.
  document.addEventListener("change", async (event) => {
    const form = event.target.closest?.("form[data-look]");
    if (!form || event.target.type !== "range") return;
    const answer = await fetch(form.action + "?" + new URLSearchParams(new FormData(form)), {headers: {Accept: "text/html"}, cache: "no-store"});
    if (!answer.ok) return form.submit();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(form.dataset.look), old = document.getElementById(form.dataset.look);
    if (!fresh || !old) return location.assign(answer.url);
    swap(old, document.importNode(fresh, true));
    window.history.replaceState(null, "", answer.url);
  });

  let pending = new Set(), timer = 0, running = false;
  const refresh = async () => {
    timer = 0;
    if (running || document.hidden) return;
    const topics = pending;
    pending = new Set();
    const wanting = regions().filter((el) => wants(el, topics));
    if (!wanting.length) return;
    running = true;
    try {
      for (const src of new Set(wanting.map(source))) {
        const answer = await fetch(src, {headers: {Accept: "text/html"}, cache: "no-store"});
        if (answer.redirected && new URL(answer.url).pathname === "/signin") return location.reload();
        if (!answer.ok) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const old of wanting.filter((el) => source(el) === src)) {
          const fresh = page.getElementById(old.id);
          if (fresh && !busy(old)) swap(old, document.importNode(fresh, true));
        }
      }
      age();
    } catch {
      for (const t of topics) pending.add(t);
    } finally {
      running = false;
      if (pending.size) soon(2000);
    }
  };
  const soon = (ms) => { timer ||= setTimeout(refresh, ms); };

  const listen = () => {
    const sign = document.querySelector(".live");
    const show = (state, text) => { if (sign) { sign.dataset.state = state; sign.textContent = text; } };
    if (!sign) return;
    const stream = new EventSource("/v1/stream");
    stream.onopen = () => {
      show("on", "live");
      // What changed since the page was made, nobody told.
      pending.add("resync");
      soon(250);
    };
    stream.onerror = () => {
      show("off", "reconnecting");
      // A browser gives up after an error status; the page does not.
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
    for (const topic of ["hosts", "facts", "events", "verdicts", "sites", "resync"]) {
      stream.addEventListener(topic, () => { pending.add(topic); soon(250); });
    }
  };

  const themes = ["auto", "light", "dark"];
  const theme = (button) => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "auto") + 1) % themes.length];
    document.documentElement.dataset.theme = next;
    document.cookie = `assim-theme=${next}; path=/; max-age=31536000; samesite=lax`;
    button.textContent = `theme: ${next}`;
  };

  const copy = async (button) => {
    const target = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(target.textContent);
    } catch {
      // Without https there is no clipboard but by the old way; where that is gone,
      // the text stays selected.
      getSelection().selectAllChildren(target);
      if (!document.execCommand("copy")) {
        button.textContent = "press Ctrl-C";
        return;
      }
      getSelection().removeAllRanges();
    }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  };

  document.addEventListener("click", (e) => {
    const button = e.target.closest("button");
    if (button?.dataset.copy) copy(button);
    if (button && "themeSwitch" in button.dataset) theme(button);
    if (button && "share" in button.dataset) share();
    if (button && "keys" in button.dataset) help();
  });
  // A link to what is seen now: with the time where the page has a field for it.
  const share = async () => {
    const button = document.querySelector("[data-share]"), address = new URL(location.href);
    const field = document.querySelector("main input[name=as_of]");
    if (field && !address.searchParams.get("as_of")) address.searchParams.set("as_of", new Date().toISOString().replace(/\.\d+/, ""));
    let said = "copied";
    try {
      await navigator.clipboard.writeText(address.href);
    } catch {
      window.history.replaceState(null, "", address); // without https there is no clipboard
      said = "see the address bar";
    }
    if (!button) return;
    button.textContent = said;
    setTimeout(() => { button.textContent = "Copy link"; }, 2000);
  };

  // The keyboard. What leads to pages stands in the navigation.
  const typing = (el) => el?.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(el?.tagName ?? "");
  const search = () => {
    const box = document.getElementById("search");
    box?.focus();
    box?.select();
    return Boolean(box);
  };
  const step = (by) => {
    const links = [...document.querySelectorAll("main tbody tr")].map((row) => row.querySelector("a[href]")).filter(Boolean);
    if (!links.length) return false;
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const link = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))];
    link.focus();
    link.closest("tr").scrollIntoView({block: "nearest"});
    return true;
  };
  const help = () => {
    const list = document.getElementById("keys");
    if (!list) return false;
    if (list.open) list.close(); else list.showModal();
    return true;
  };
  let going = 0; // until when the key after g counts
  const go = (key) => {
    const link = document.querySelector(`.nav a[data-key="${CSS.escape(key)}"]`);
    link?.click();
    return Boolean(link);
  };
  const pressed = (key) => {
    if (Date.now() < going) {
      going = 0;
      return go(key);
    }
    switch (key) {
      case "/": return search();
      case "j": return step(1);
      case "k": return step(-1);
      case "l": share(); return true;
      case "?": return help();
      case "g": going = Date.now() + 1500; return true;
    }
    return false;
  };
  document.addEventListener("keydown", (e) => {
    const control = e.ctrlKey || e.metaKey;
    if (e.key.toLowerCase() === "k" && control && !e.altKey && !e.shiftKey) {
      if (search()) e.preventDefault();
      return;
    }
    if (control || e.altKey || typing(document.activeElement) || document.activeElement?.id === "map-canvas") return;
    if (pressed(e.key)) e.preventDefault();
  });
  document.addEventListener("submit", (e) => {
    const question = e.target.dataset.confirm;
    if (question && !confirm(question)) e.preventDefault();
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches("form.filter select")) e.target.form.requestSubmit();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && pending.size) soon(0); });
  // What is wider than a narrow window is scrolled by the keyboard, too.
  const reach = () => {
    for (const el of document.querySelectorAll("main .panel, main pre")) {
      if (el.scrollWidth > el.clientWidth) el.tabIndex = 0;
    }
  };
  addEventListener("resize", reach);
  document.addEventListener("assim:fresh", reach);
  reach();
  document.querySelector(".nav [aria-current]")?.scrollIntoView({block: "nearest"});
  document.querySelector("main input[autofocus]")?.select(); // a proposed name is typed over
  for (const tools of document.querySelectorAll(".top .needs-script")) tools.hidden = false;
  setInterval(age, 10000);
  listen();
})();
