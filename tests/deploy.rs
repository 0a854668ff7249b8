//! What `deploy/` promises to a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// The kustomization, rendered as a cluster would get it.
fn rendered() -> Vec<Value> {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder("kubernetes"))
        .output()
        .expect("kubectl: run tests/run.sh, which fetches it, or install the Debian package kubernetes-client");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}(kubectl before 1.21 does not know `labels` and `options`)");
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<Value> = text
        .split("\n---\n")
        .map(|document| serde_yaml::from_str(document).unwrap_or_else(|error| panic!("{error}\n{document}")))
        .collect();
    assert!(!documents.is_empty());
    documents
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

/// The one thing that runs pods. The embedded queue belongs to one process.
fn workload(documents: &[Value]) -> &Value {
    let found = [of_kind(documents, "StatefulSet"), of_kind(documents, "Deployment")].concat();
    assert_eq!(found.len(), 1, "one workload");
    found[0]
}

fn container(documents: &[Value]) -> &Value {
    &workload(documents)["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn the_kustomization_renders() {
    let documents = rendered();
    assert!(!of_kind(&documents, "Service").is_empty(), "a Service");
    assert!(routes(&documents).contains("routes:"));
}

/// `routes.yaml` as the pod sees it.
fn routes(documents: &[Value]) -> &str {
    let configuration = of_kind(documents, "ConfigMap");
    configuration.iter().find_map(|map| map["data"]["routes.yaml"].as_str()).expect("a ConfigMap with routes.yaml")
}

/// Where the pod has a volume.
fn mounted<'a>(documents: &'a [Value], volume: &str) -> &'a str {
    let mounts = container(documents)["volumeMounts"].as_array().expect("volumeMounts");
    let mount =
        mounts.iter().find(|mount| mount["name"] == volume).unwrap_or_else(|| panic!("{volume} is not mounted"));
    mount["mountPath"].as_str().unwrap()
}

#[test]
fn the_routes_load_with_the_secrets_that_the_example_has() {
    let documents = rendered();
    let example = fs::read_to_string(folder("kubernetes/secret.example.yaml")).unwrap();
    let example: Value = serde_yaml::from_str(&example).unwrap();
    let volumes = workload(&documents)["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let volume = volumes.iter().find(|volume| volume["name"] == "secrets").unwrap();
    assert_eq!(volume["secret"]["secretName"], example["metadata"]["name"]);
    // The secrets' folder is the pod's own; here it is elsewhere.
    let directory = tempfile::tempdir().unwrap();
    for (name, value) in example["stringData"].as_object().unwrap() {
        fs::write(directory.path().join(name), value.as_str().unwrap()).unwrap();
    }
    let secrets = mounted(&documents, "secrets");
    assert!(routes(&documents).contains(&format!("${{file:{secrets}/")), "no secret is read from {secrets}");
    let text = routes(&documents).replace(secrets, &directory.path().display().to_string());
    fs::write(directory.path().join("routes.yaml"), text).unwrap();
    let checked = Command::new(env!("CARGO_BIN_EXE_hookswitch"))
        .args(["check", "--config"])
        .arg(directory.path().join("routes.yaml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn the_gateway_listens_and_writes_where_the_pod_means_it_to() {
    let documents = rendered();
    let container = container(&documents);
    let routes: Value = serde_yaml::from_str(routes(&documents)).unwrap();
    for (name, address) in [("http", &routes["listen"]), ("admin", &routes["admin"]["listen"])] {
        let ports = container["ports"].as_array().unwrap();
        let port = &ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"];
        assert_eq!(address.as_str().unwrap(), format!("0.0.0.0:{port}"), "{name}");
    }
    assert_eq!(routes["queue"]["embedded"]["path"], mounted(&documents, "data"));
    let file = format!("{}/routes.yaml", mounted(&documents, "routes"));
    assert_eq!(container["args"], serde_json::json!(["serve", "--config", file, "--watch"]));
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "admin", "{probe}");
    }
}

#[test]
fn a_pod_runs_without_any_right() {
    let documents = rendered();
    let pod = &workload(&documents)["spec"]["template"]["spec"];
    let (of_pod, of_container) = (&pod["securityContext"], &container(&documents)["securityContext"]);
    let says = |name: &str| if of_container[name].is_null() { &of_pod[name] } else { &of_container[name] };
    assert_eq!(says("runAsNonRoot"), true);
    assert_eq!(of_container["readOnlyRootFilesystem"], true);
    assert_eq!(of_container["allowPrivilegeEscalation"], false);
    assert_eq!(of_container["capabilities"]["drop"][0], "ALL");
    assert_eq!(says("seccompProfile")["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
}

#[test]
fn a_pod_is_probed_and_stopped_as_the_gateway_means_it() {
    let documents = rendered();
    let container = container(&documents);
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let workload = workload(&documents);
    // `limits.shutdown_grace` is 25s by default; Kubernetes must wait longer.
    let grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    assert!(grace > 25, "{grace}");
    assert_eq!(workload["spec"]["replicas"].as_u64().unwrap_or(1), 1, "the embedded queue has one owner");
}

#[test]
fn the_queue_outlives_the_pod() {
    let documents = rendered();
    let workload = workload(&documents);
    let claims = workload["spec"]["volumeClaimTemplates"].as_array().is_some_and(|claims| !claims.is_empty());
    let volumes = workload["spec"]["template"]["spec"]["volumes"].as_array();
    let claimed =
        volumes.is_some_and(|volumes| volumes.iter().any(|volume| !volume["persistentVolumeClaim"].is_null()));
    assert!(claims || claimed, "no persistent volume");
}

#[test]
fn no_secret_is_written_into_a_manifest() {
    for secret in of_kind(&rendered(), "Secret") {
        let values = [&secret["data"], &secret["stringData"]].into_iter().filter_map(Value::as_object).flatten();
        for (name, value) in values {
            let value = value.as_str().unwrap_or_default();
            assert!(value.is_empty() || value.to_lowercase().contains("change"), "{name} has a value that looks real");
        }
    }
}

#[test]
fn the_image_is_small_and_runs_as_nobody() {
    let paths = [folder("Dockerfile"), folder("docker/Dockerfile")];
    let text = paths.iter().find_map(|path| fs::read_to_string(path).ok()).expect("deploy/Dockerfile");
    let last_stage = text.rsplit("\nFROM ").next().unwrap();
    let base = last_stage.lines().next().unwrap();
    assert!(base.contains("distroless") || base.starts_with("scratch"), "the last stage is from {base}");
    let user = last_stage.lines().find_map(|line| line.strip_prefix("USER ")).unwrap_or_default();
    assert!(
        user.contains("nonroot") || user.starts_with(|c: char| ('1'..='9').contains(&c)) || base.contains("nonroot"),
        "{user:?}"
    );
}
