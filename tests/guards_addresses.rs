//! `allow_private: false`: nothing goes to an address that is not public.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;
use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use support::{Destination, Gateway, check};

/// A loopback address of this machine with a name that is no `localhost`. Debian's machines have one; where there is none,
/// as in some containers, the unit tests have a resolver of their own, but CI leaves nothing out.
fn name_of_this_machine() -> Option<(IpAddr, String)> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let named = hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let ip: IpAddr = words.next()?.parse().ok()?;
        let name = words.find(|name| !name.contains("localhost") && name.is_ascii())?;
        (ip.is_loopback() && ip.is_ipv4()).then(|| (ip, name.to_owned()))
    });
    assert!(named.is_some() || std::env::var_os("CI").is_none(), "/etc/hosts names no loopback address but localhost");
    named
}

#[test]
fn a_name_that_leads_to_this_machine_is_refused_and_tried_again() {
    let Some((ip, name)) = name_of_this_machine() else { return };
    let crm = Destination::start_at(SocketAddr::new(ip, 0));
    let url = format!("http://{name}:{}/", crm.address().port());
    let routes = |guard: &str| {
        format!(
            "
destinations:
  crm: {{ url: '{url}', retry: {{ initial: 1ms, max: 5ms, max_attempts: 1000000 }}{guard} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
"
        )
    };
    let gateway = Gateway::start(&routes(", allow_private: false"));
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    gateway.wait_for_log(&["refused_address", "loopback"]);
    assert!(crm.arrived().is_empty());
    // Without the guard the name is as good as any.
    gateway.write_routes(&routes(""));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    assert_eq!(crm.wait_for(1)[0].json()["id"], "1");
    gateway.wait_until_drained();
}

#[test]
fn an_address_in_a_url_is_a_problem_of_the_file_however_it_is_written() {
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "172.31.255.255",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "[2001:db8::1]",
    ] {
        let file = |guard: bool| {
            format!(
                "destinations:
  crm:
    url: http://{host}:8080/x
    allow_private: {}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
                !guard
            )
        };
        check(&file(true), &[]).assert_problem(3, &["allow_private"]);
        let allowed = check(&file(false), &[]);
        assert_eq!(allowed.code, Some(0), "{}", allowed.said);
    }
}

#[test]
fn a_token_endpoint_whose_name_leads_to_this_machine_is_refused() {
    let Some((ip, name)) = name_of_this_machine() else { return };
    let login = Destination::start_at(SocketAddr::new(ip, 0));
    let gateway = Gateway::start(&format!(
        "
destinations:
  crm:
    url: https://crm.invalid/
    allow_private: false
    auth: {{ oauth2: {{ token_url: 'https://{name}:{}/', client_id: us, client_secret: hunter2 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        login.address().port()
    ));
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    gateway.wait_for_log(&["refused_address", "no access token", "loopback"]);
}

#[test]
fn the_token_endpoint_is_guarded_too() {
    let text = "destinations:
  crm:
    url: https://crm.example.com/
    allow_private: false
    auth:
      oauth2:
        token_url: http://127.0.0.1:1/token
        client_id: us
        client_secret: hunter2
routes:
  - { name: in, path: /in, auth: none, deliver: [{ to: crm }] }
";
    let checked = check(text, &[]);
    checked.assert_problem(7, &["loopback"]);
    assert!(!checked.said.contains("hunter2"));
}
