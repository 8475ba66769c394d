//! A real Chromium, driven by its own protocol over two pipes: opens pages, types, clicks, takes pictures.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engines::scratch_dir;

pub const CHROMIUM: &str = "chromium-headless-shell";
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one tab.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// Id of the tab's session; empty before there is one.
    session: String,
    last: u64,
    /// What was said between answers: method and parameters.
    events: Vec<Value>,
}

impl Browser {
    /// Starts one with a profile of its own; names lead to this machine as these rules say.
    pub fn start(resolver_rules: &str) -> Self {
        let profile = scratch_dir("chromium");
        // It reads from 3 and writes to 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", CHROMIUM])
            .args([
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--font-render-hinting=none",
            ])
            .arg(format!("--host-resolver-rules={resolver_rules}"))
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let (to, from) = (child.stdin.take().unwrap(), messages(child.stdout.take().unwrap()));
        let mut browser = Self { child, to, from, session: String::new(), last: 0, events: Vec::new() };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1200, 900);
        browser
    }

    /// Gives an order, and reads its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut order = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() {
            order["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{order}\0").as_bytes()).unwrap();
        loop {
            let message = self.read();
            if message["id"] == json!(self.last) {
                let failed = message.get("error").cloned();
                return failed.map_or(Ok(message["result"].clone()), Err);
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("the browser says nothing: {error}"))
    }

    pub fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Light or dark.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    pub fn allow_scripts(&mut self, allowed: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !allowed }));
    }

    /// Opens a page, and waits until it is there.
    pub fn open(&mut self, url: &str) {
        self.leave_by(|browser| {
            let opened = browser.call("Page.navigate", json!({ "url": url }));
            assert!(opened.get("errorText").is_none(), "{url}: {opened}");
        });
    }

    /// Does something that leads to another page, and waits until that is there.
    pub fn leave_by(&mut self, act: impl FnOnce(&mut Self)) {
        self.run("window.isLeft = true");
        act(self);
        self.until("window.isLeft === undefined && document.readyState === 'complete'");
    }

    /// Value of an expression in the page; a promise is awaited.
    pub fn run(&mut self, script: &str) -> Value {
        self.try_run(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    fn try_run(&mut self, script: &str) -> Result<Value, Value> {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let done = self.try_call("Runtime.evaluate", params)?;
        match done.get("exceptionDetails") {
            Some(thrown) => Err(thrown.clone()),
            None => Ok(done["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true; the page may change meanwhile.
    pub fn until(&mut self, script: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_run(script).is_ok_and(|value| value == json!(true)) {
            assert!(Instant::now() < deadline, "never true: {script}; the page is {}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Text of the page as it is shown.
    pub fn text(&mut self) -> String {
        self.run("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the button or link with these words, and waits for the page that it leads to.
    pub fn click(&mut self, words: &str) {
        let words = json!(words);
        let script = format!(
            "[...document.querySelectorAll('main button, main a, header button, header a')]
                .find(found => found.innerText.trim() === {words}).click()"
        );
        self.leave_by(|browser| {
            browser.run(&script);
        });
    }

    /// Presses keys, one after the other.
    pub fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let code = match *key {
                "Tab" => 9,
                "Enter" => 13,
                key => panic!("{key} is not known"),
            };
            let text = if code == 13 { "\r" } else { "" };
            let event =
                json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event);
            let event = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types into what has the focus.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Picture of the page, as PNG in base64.
    pub fn picture(&mut self) -> String {
        self.call("Page.captureScreenshot", json!({ "format": "png" }))["data"].as_str().unwrap().to_owned()
    }

    /// Complaints of the browser so far: what a policy refused, errors of scripts.
    pub fn complaints(&mut self) -> Vec<String> {
        self.call("Runtime.evaluate", json!({ "expression": "0" }));
        let is_one = |event: &&Value| {
            event["method"] == "Runtime.exceptionThrown"
                || (event["method"] == "Log.entryAdded" && event["params"]["entry"]["source"] == "security")
        };
        self.events.iter().filter(is_one).map(Value::to_string).collect()
    }
}

/// Messages of a browser as they come, each ended by a zero.
fn messages(from: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut message = Vec::new();
        while from.read_until(0, &mut message).is_ok_and(|length| length > 0) && message.pop() == Some(0) {
            if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                return;
            }
            message.clear();
        }
    });
    receiver
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
