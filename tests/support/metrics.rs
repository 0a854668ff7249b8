//! Reading the Prometheus text format.

/// The sum of the samples of `name` that have all of `labels`; 0 where there is none.
pub fn metric(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    samples(text, name)
        .filter(|(found, _)| labels.iter().all(|(name, value)| found.contains(&format!("{name}=\"{value}\""))))
        .map(|(_, value)| value)
        .sum()
}

/// Whether `name` has a sample at all.
pub fn has_sample(text: &str, name: &str) -> bool {
    samples(text, name).next().is_some()
}

/// The samples of `name`: the text between the braces, and the value.
pub fn samples<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        Some((labels, value.trim().parse().unwrap()))
    })
}
