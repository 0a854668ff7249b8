//! Whether the gateway's books are in order.

use super::gateway::{Gateway, hookswitch};

impl Gateway {
    /// Waits until nothing is pending, and fails where `hookswitch audit` does.
    pub fn audit_is_clean(&self) {
        self.wait_until_drained();
        let admin = format!("http://{}", self.admin_address());
        let audit = hookswitch().args(["audit", "--admin", &admin]).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&audit.stdout), String::from_utf8_lossy(&audit.stderr));
        assert_eq!(audit.status.code(), Some(0), "{said}");
    }
}
