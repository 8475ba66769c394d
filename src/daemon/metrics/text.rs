//! From OpenMetrics, which the library writes, to the text format that every version of Prometheus and node_exporter's
//! textfile collector read (<https://prometheus.io/docs/instrumenting/exposition_formats/>): there a counter is described under
//! the name that its samples have, and a description ends without a full stop of the library's.

use std::collections::BTreeSet;

/// Ending of a counter's samples.
const TOTAL: &str = "_total";

/// Numbers in the text format, version 0.0.4.
pub(super) fn as_text_format(openmetrics: &str) -> String {
    let described = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        (kind == "counter").then(|| name.to_owned())
    };
    let counters: BTreeSet<String> = openmetrics.lines().filter_map(described).collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let of_counter = ["# HELP ", "# TYPE "].into_iter().find_map(|mark| {
            let (name, rest) = line.strip_prefix(mark)?.split_once(' ')?;
            counters.contains(name).then(|| format!("{mark}{name}{TOTAL} {rest}"))
        });
        let line = of_counter.as_deref().unwrap_or(line);
        let line = line.strip_suffix('.').filter(|_| line.starts_with("# HELP ")).unwrap_or(line);
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_described_by_its_sample() {
        let openmetrics = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"a_b counter\"} 3\n\
                           # HELP g Now.\n# TYPE g gauge\ng 1.5\n# EOF\n";
        let text = "# HELP a_b_total Things\n# TYPE a_b_total counter\na_b_total{x=\"a_b counter\"} 3\n\
                    # HELP g Now\n# TYPE g gauge\ng 1.5\n";
        assert_eq!(as_text_format(openmetrics), text);
    }
}
