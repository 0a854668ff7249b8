//! The binary as a process, with a directory of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{self, Response};
use super::{Ran, eventually, metric};

/// A running gateway.
pub struct Gateway {
    settings: Settings,
    directory: TempDir,
    process: Process,
}

/// How a gateway is to be started.
pub struct Settings {
    routes: String,
    top: String,
    admin: String,
    environment: Vec<(String, String)>,
    files: Vec<(String, String)>,
    shell: Option<String>,
    queue: Option<PathBuf>,
    bounds: String,
}

struct Process {
    child: Child,
    listening: SocketAddr,
    admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

/// How long a start may take: far more than one takes with everything that a test can bring.
const START: Duration = Duration::from_secs(60);

/// The binary, to run one of its commands.
pub fn hookswitch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

// === impl Settings ===

impl Settings {
    /// Sets a variable of the gateway's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds top-level blocks, such as `limits:`.
    pub fn top(mut self, yaml: &str) -> Self {
        self.top.push_str(yaml);
        self.top.push('\n');
        self
    }

    /// Replaces the `admin:` block's content.
    pub fn admin(mut self, yaml: &str) -> Self {
        yaml.clone_into(&mut self.admin);
        self
    }

    /// Puts a file beside `routes.yaml`.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Has the queue elsewhere than in the gateway's directory.
    pub fn queue(mut self, path: &Path) -> Self {
        self.queue = Some(path.to_owned());
        self
    }

    /// Adds to `queue.embedded:`.
    pub fn bounds(mut self, yaml: &str) -> Self {
        self.bounds = format!(", {yaml}");
        self
    }

    /// Starts it from a shell that first does this, in the gateway's directory; `exec "$@"` is the gateway.
    pub fn shell(mut self, script: &str) -> Self {
        self.shell = Some(script.to_owned());
        self
    }

    /// Starts it and waits until it listens.
    pub fn start(self) -> Gateway {
        let directory = TempDir::new().unwrap();
        for (name, text) in &self.files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let path = directory.path().join("routes.yaml");
        fs::write(&path, self.text(&directory, &self.routes)).unwrap();
        let process = Process::start(&directory, &self).unwrap_or_else(|why| panic!("the gateway did not start {why}"));
        Gateway { settings: self, directory, process }
    }

    fn text(&self, directory: &TempDir, routes: &str) -> String {
        format!(
            "listen: 127.0.0.1:0\nadmin: {{ {} }}\nqueue: {{ embedded: {{ path: '{}'{} }} }}\n{}{}",
            self.admin,
            self.queue.clone().unwrap_or_else(|| directory.path().join("data")).display(),
            self.bounds,
            self.top,
            routes.replace("DIRECTORY", &directory.path().display().to_string()),
        )
    }
}

// === impl Gateway ===

impl Gateway {
    /// Starts a gateway on the destinations and routes given as YAML. In it `DIRECTORY` is the gateway's own.
    pub fn start(routes: &str) -> Self {
        Self::with(routes).start()
    }

    /// The same with more to say.
    pub fn with(routes: &str) -> Settings {
        Settings {
            routes: routes.to_owned(),
            top: String::new(),
            admin: "listen: 127.0.0.1:0".to_owned(),
            environment: Vec::new(),
            files: Vec::new(),
            shell: None,
            queue: None,
            bounds: String::new(),
        }
    }

    /// Where webhooks come in.
    pub fn address(&self) -> SocketAddr {
        self.process.listening
    }

    /// Where the admin listener is.
    pub fn admin_address(&self) -> SocketAddr {
        self.process.admin
    }

    /// A file of the gateway's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Posts a webhook.
    pub fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> Response {
        http::send(self.address(), "POST", path, headers, body)
    }

    /// Posts JSON without any header of its own, to a route under `auth: none`.
    pub fn post_json(&self, path: &str, body: &Value) -> Response {
        self.post(path, &[], body.to_string().as_bytes())
    }

    /// Asks the admin listener.
    pub fn admin(&self, method: &str, path: &str) -> Response {
        http::send(self.admin_address(), method, path, &[] as &[(&str, &str)], b"")
    }

    /// Asks the admin API, with a JSON body where that is not null. `path` is what comes after `/api/v1`.
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let none: &[(&str, &str)] = &[];
        http::send(self.admin_address(), method, &format!("/api/v1{path}"), none, body.as_bytes())
    }

    /// What the admin API answers to a read that succeeds.
    pub fn read(&self, path: &str) -> Value {
        let response = self.api("GET", path, &Value::Null);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    }

    /// Runs a command that asks this gateway.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// A command that asks this gateway, where it is not told to ask another.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hookswitch();
        command.args(arguments).current_dir(self.directory.path());
        if !arguments.contains(&"--admin") {
            command.arg("--admin").arg(format!("http://{}", self.admin_address()));
        }
        command
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> String {
        let response = self.admin("GET", "/metrics");
        assert_eq!(response.status, 200, "{}", response.text());
        response.text()
    }

    /// A metric's value now.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        metric(&self.metrics(), name, labels)
    }

    /// Waits until a metric has a value.
    pub fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let mut last = f64::NAN;
        let mut text = String::new();
        let reached = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&format!("{name}{labels:?} = {value}"), || {
                text = self.metrics();
                last = metric(&text, name, labels);
                ((last - value).abs() < 1e-9).then_some(())
            });
        }));
        if reached.is_err() {
            let samples: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
            panic!("{name}{labels:?} is {last}, not {value}; its samples: {samples:#?}");
        }
    }

    /// Waits until nothing is left to deliver.
    pub fn wait_until_drained(&self) {
        self.wait_for_metric("hookswitch_queue_pending", &[], 0.0);
    }

    /// What was logged so far.
    pub fn log(&self) -> Vec<String> {
        self.process.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log that holds every one of `words`.
    pub fn wait_for_log(&self, words: &[&str]) -> String {
        eventually(&format!("a line of the log with {words:?}"), || {
            self.log().into_iter().find(|line| words.iter().all(|word| line.contains(word)))
        })
    }

    /// Writes the destinations and routes anew. Nothing is read before a reload.
    pub fn write_routes(&self, routes: &str) {
        self.write_file("routes.yaml", &self.settings.text(&self.directory, routes));
    }

    /// Writes the whole file anew.
    pub fn write_file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// What `routes.yaml` says now.
    pub fn routes(&self) -> String {
        fs::read_to_string(self.path("routes.yaml")).unwrap()
    }

    /// Sends a signal by name: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.process.child.id())])
            .status()
            .expect("sh, to send a signal");
        assert!(status.success());
    }

    /// Kills it as a power cut would.
    pub fn kill9(&mut self) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.process.child;
        eventually("the gateway's end", || child.try_wait().unwrap())
    }

    /// From the next start on it is started without the shell's doing.
    pub fn without_shell(&mut self) {
        self.settings.shell = None;
    }

    /// Starts it again on the same directory, after it ended or was killed.
    pub fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|why| panic!("the gateway did not start {why}"));
    }

    /// The same where it may refuse: then what it said.
    pub fn try_restart(&mut self) -> Result<(), String> {
        let _ = self.process.child.kill();
        let _ = self.process.child.wait();
        self.process = Process::start(&self.directory, &self.settings)?;
        Ok(())
    }

    /// Starts it again and kills it while it starts, `after` the process began; also where it has begun to listen.
    pub fn restart_and_kill(&mut self, after: Duration) {
        let _ = self.process.child.kill();
        let _ = self.process.child.wait();
        let mut child = Process::spawn(&self.directory, &self.settings);
        thread::sleep(after);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// A field of `/proc/<pid>/status` in KiB, such as `VmRSS`. Not for a gateway that a shell only wraps.
    pub fn memory(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.child.id());
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_else(|| panic!("no {field} in {text}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.child.kill();
        let _ = self.process.child.wait();
        if thread::panicking() {
            eprintln!("--- the gateway's log\n{}\n---", self.log().join("\n"));
        }
    }
}

// === impl Process ===

impl Process {
    fn spawn(directory: &TempDir, settings: &Settings) -> Child {
        let mut command = hookswitch();
        if let Some(script) = &settings.shell {
            let binary = command.get_program().to_owned();
            command = Command::new("sh");
            command.env("NO_COLOR", "1").stdin(Stdio::null()).args(["-c", script, "sh"]).arg(binary);
        }
        command
            .args(["serve", "--config"])
            .arg(directory.path().join("routes.yaml"))
            .current_dir(directory.path())
            .envs(settings.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    fn start(directory: &TempDir, settings: &Settings) -> Result<Self, String> {
        let mut child = Self::spawn(directory, settings);
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, keeping) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let reading = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                keeping.lock().unwrap().push(line);
            }
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, started) = mpsc::channel();
        thread::spawn(move || sender.send(addresses(stdout)));
        match started.recv_timeout(START) {
            Ok(Some((listening, admin))) => Ok(Self { child, listening, admin, log }),
            Ok(None) => {
                let status = child.wait();
                // What it said last may still be on its way through the pipe.
                reading.join().unwrap();
                Err(format!("({status:?}):\n{}", log.lock().unwrap().join("\n")))
            }
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("(still not after {START:?}):\n{}", log.lock().unwrap().join("\n")))
            }
        }
    }
}

/// Reads `{"listening":"...","admin":"..."}`, in one line or two, and goes on to read what follows.
fn addresses(mut stdout: BufReader<std::process::ChildStdout>) -> Option<(SocketAddr, SocketAddr)> {
    let (mut listening, mut admin) = (None, None);
    while listening.is_none() || admin.is_none() {
        let mut line = String::new();
        if stdout.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Ok(said) = serde_json::from_str::<Value>(&line) else { continue };
        let address = |name: &str| said.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
        listening = listening.or(address("listening"));
        admin = admin.or(address("admin"));
    }
    thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    Some((listening?, admin?))
}
