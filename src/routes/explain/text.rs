//! An explanation for people.

use std::fmt;

use super::{Explanation, RuleStep, Verdict};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        match &self.router {
            Some(router) => writeln!(f, "Router {router}")?,
            None if self.steps.is_empty() => writeln!(f, "no Router")?,
            None => {}
        }
        for step in &self.steps {
            writeln!(f, "  {} {:<16} {}", mark(step.verdict), step.step, step.why)?;
            for rule in &step.rules {
                write_rule(f, rule)?;
            }
        }
        let outcome = &self.outcome;
        write!(f, "=> {}", outcome.sentence)?;
        if let Some(reason) = &outcome.reason {
            write!(f, " (reason: {reason})")?;
        }
        writeln!(f)?;
        if let Some(path) = &outcome.upstream_path {
            writeln!(f, "   path upstream  {path}")?;
        }
        if !outcome.endpoints.is_empty() {
            writeln!(f, "   endpoints      {}", outcome.endpoints.join(", "))?;
        }
        if let Some(caching) = &outcome.caching {
            writeln!(f, "   shared caches  {caching}")?;
        }
        Ok(())
    }
}

fn write_rule(f: &mut fmt::Formatter<'_>, rule: &RuleStep) -> fmt::Result {
    writeln!(f, "      {} rule {} -> {}", mark(rule.verdict), rule.rule, rule.send)?;
    if rule.verdict == Verdict::NotAsked {
        return Ok(());
    }
    for (place, entry) in rule.matches.iter().enumerate() {
        let either = if place > 0 { "or " } else { "" };
        for (place, condition) in entry.conditions.iter().enumerate() {
            let lead = if place == 0 { either } else { "and " };
            let holds = if condition.holds { "yes" } else { "no " };
            writeln!(f, "          {holds}  {lead}{}", condition.condition)?;
        }
    }
    Ok(())
}

fn mark(verdict: Verdict) -> char {
    match verdict {
        Verdict::Decides => '*',
        Verdict::DoesNotApply => '-',
        Verdict::NotAsked => ' ',
    }
}
