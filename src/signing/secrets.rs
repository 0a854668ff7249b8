//! Whether secrets can be signed with at all.

use crate::config::{At, Problem, Problems};
use crate::model::NamedSecret;

/// Whether each of the secrets can be used; a problem where one is empty, and warnings where one is probably not meant.
pub fn usable(secrets: &[At<NamedSecret>], problems: &mut Problems) -> bool {
    let mut usable = true;
    for (index, secret) in secrets.iter().enumerate() {
        let value = &secret.value.value;
        if value.is_empty() {
            usable = false;
            problems.push(Problem::error(secret.place, format!("the secret `{}` is empty", secret.name)));
        } else if value.expose().trim() != value.expose() && !value.expose().contains("-----BEGIN") {
            problems.push(Problem::warning(
                secret.place,
                format!("the secret `{}` starts or ends with white space, which counts", secret.name),
            ));
        }
        let same = secrets.iter().take(index).find(|earlier| earlier.value.value.expose() == value.expose());
        if let Some(earlier) = same.filter(|_| !value.is_empty()) {
            problems.push(Problem::warning(
                secret.place,
                format!("the secrets `{}` and `{}` are the same: only the first is counted", earlier.name, secret.name),
            ));
        }
    }
    usable
}
