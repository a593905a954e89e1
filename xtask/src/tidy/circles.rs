//! Circles between the modules of a crate.
//!
//! A module takes something of another where it names a path that begins with `crate` or `super` and leads
//! there, in a `use` or anywhere else, also through a `pub use` on the way; tests do not count. Every folder of
//! modules is looked at by itself: what a file deep inside one module takes of a file deep inside another counts
//! for the two siblings whose parts they are. Siblings that take something of each other, directly or through
//! further siblings, are a circle. A module and what is inside it are one unit and may share what they define, so
//! what passes between a parent and its own children does not count: a file that was split into a folder is still
//! one idea.

mod paths;

use std::collections::{BTreeMap, BTreeSet};

use self::paths::{Module, Named};
use super::tree::Tree;

/// What a module of a crate takes of another: their names below the parent, and one proof.
type Taken = BTreeMap<(String, String), String>;

/// The circles.
pub(super) fn findings(tree: &Tree) -> Vec<String> {
    crates(tree).into_iter().flat_map(|root| circles(tree, root)).map(|circle| circle.to_string()).collect()
}

/// Modules of one folder that all need each other.
#[derive(Debug)]
struct Circle {
    /// The folder of the modules.
    folder: String,
    modules: BTreeSet<String>,
    /// What closes the circle, one sentence for each two of them.
    proofs: Vec<String>,
}

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let modules: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        write!(f, "{}: {} need each other ({})", self.folder, modules.join(", "), self.proofs.join("; "))
    }
}

/// The folders that hold a `lib.rs` or `main.rs`.
fn crates(tree: &Tree) -> BTreeSet<&str> {
    let root = |path: &'_ str| -> Option<usize> {
        let (folder, name) = path.rsplit_once('/')?;
        matches!(name, "lib.rs" | "main.rs").then_some(folder.len())
    };
    tree.texts(".rs").filter_map(|(path, _)| Some(&path[..root(path)?])).collect()
}

fn circles(tree: &Tree, root: &str) -> Vec<Circle> {
    let mut modules: BTreeMap<Module, Named> = BTreeMap::new();
    for (path, text) in tree.texts(".rs") {
        let Some(inside) = path.strip_prefix(root).and_then(|path| path.strip_prefix('/')) else { continue };
        let module = paths::module_of(inside);
        if module.iter().any(|name| name == "tests") {
            continue;
        }
        for (module, named) in paths::named(&module, text) {
            modules.entry(module).or_default().extend(named);
        }
    }
    let mut folders: BTreeMap<Module, Taken> = BTreeMap::new();
    for (module, named) in &modules {
        for path in &named.paths {
            let other = paths::resolve(path, &modules);
            let shared = module.iter().zip(&other).take_while(|(one, two)| one == two).count();
            if let (Some(from), Some(to)) = (module.get(shared), other.get(shared)) {
                let proof = format!("{} names {}", module.join("::"), path.join("::"));
                let taken = folders.entry(module[..shared].to_vec()).or_default();
                taken.entry((from.clone(), to.clone())).or_insert(proof);
            }
        }
    }
    let folder = |parent: &Module| [&[root.to_owned()], parent.as_slice()].concat().join("/");
    folders.iter().flat_map(|(parent, taken)| circles_of(&folder(parent), taken)).collect()
}

/// What a module takes something of, directly or through others.
fn needs<'a>(module: &'a str, taken: &'a Taken) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![module];
    while let Some(module) = open.pop() {
        let next = taken.keys().filter(|(from, _)| from == module).map(|(_, to)| to.as_str());
        open.extend(next.filter(|to| found.insert(*to)));
    }
    found
}

fn circles_of(folder: &str, taken: &Taken) -> Vec<Circle> {
    let needed: BTreeMap<&str, BTreeSet<&str>> =
        taken.keys().map(|(from, _)| (from.as_str(), needs(from, taken))).collect();
    let mut circles: Vec<Circle> = Vec::new();
    for (module, others) in &needed {
        let in_circle = |other: &&str| needed.get(*other).is_some_and(|back| back.contains(module));
        let modules: BTreeSet<String> =
            others.iter().filter(|other| in_circle(other)).map(|name| (*name).to_owned()).collect();
        if modules.is_empty() || circles.iter().any(|circle| circle.modules == modules) {
            continue;
        }
        let inside = taken.iter().filter(|((from, to), _)| modules.contains(from) && modules.contains(to));
        let proofs = inside.map(|(_, proof)| proof.clone()).collect();
        circles.push(Circle { folder: folder.to_owned(), modules, proofs });
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
        findings(&Tree::of(files))
    }

    #[test]
    fn siblings_that_need_each_other_are_a_circle() {
        let root = ("src/lib.rs", "mod a; mod b;");
        let expected = ["src: a, b need each other (a names b::B; b names a::A)"];
        for (a, b) in [
            ("use crate::b::B;", "use super::a::A;"),
            ("use crate::{c::C, b::{self, B}};", "fn f(_: crate::a::A) {}"),
            ("impl X { fn f() { super::b::B::<u8>::f() } }", "mod c { use super::super::{a::A as Z}; }"),
        ] {
            let found = circles([root, ("src/a.rs", a), ("src/b.rs", b)]);
            assert_eq!(found.len(), 1, "{a} {b}: {found:?}");
            assert!(found[0].starts_with("src: a, b need each other (a names b"), "{found:?}");
        }
        assert_eq!(
            circles([root, ("src/a.rs", "use crate::b::B;"), ("src/b.rs", "use crate::a::A;")]),
            expected
        );
    }

    #[test]
    fn a_circle_may_be_long_and_deep() {
        let found = circles([
            ("x/src/main.rs", "mod a; mod b; mod c;"),
            ("x/src/a/mod.rs", "mod deep;"),
            ("x/src/a/deep.rs", "use crate::b::inside::B;"),
            ("x/src/b.rs", "mod inside;"),
            ("x/src/b/inside.rs", "use crate::c::C;"),
            ("x/src/c.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("x/src: a, b, c need each other (a::deep names b::inside::B; "),
            "{found:?}"
        );
    }

    #[test]
    fn what_a_parent_shows_is_its_childs() {
        for shown in ["mod a; mod b; pub use a::A;", "mod a; mod b; use self::a::{A as A, Other};"] {
            let found = circles([
                ("src/lib.rs", "mod m;"),
                ("src/m.rs", shown),
                ("src/m/a.rs", "use super::b::B;"),
                ("src/m/b.rs", "use super::A;"),
            ]);
            assert_eq!(found, ["src/m: a, b need each other (m::a names m::b::B; m::b names m::A)"]);
        }
    }

    #[test]
    fn parents_children_and_tests_are_no_circle() {
        let found = circles([
            ("src/lib.rs", "mod a; mod b; pub use a::A;"),
            ("src/a.rs", "mod inner; use inner::X; #[cfg(test)] mod tests { use crate::b::B; }"),
            ("src/a/inner.rs", "use super::A;"),
            ("src/a/tests/more.rs", "use crate::b::B;"),
            ("src/b.rs", "use crate::A; // use crate::b\n const _: &str = \"crate::a::A\";"),
            ("tests/one/main.rs", "mod a;"),
            ("tests/one/a.rs", "use crate::b::B;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }
}
