//! Decides what becomes of every name, before anything is written.

use std::path::PathBuf;

use crate::cache::BindOptions;
use crate::compat::import::builtin::{BuiltinPlanner, Declare};
use crate::compat::import::judge::first_has_the_name;
use crate::compat::import::known::Known;
use crate::compat::import::locate::{Input, InputFile, InputSpace};
use crate::compat::import::read::{ReadFile, Times, bound_ids, wanted};
use crate::compat::import::survey::{Survey, Surveyor};
use crate::compat::import::{ImportOptions, ImportReport, ImportRow};
use crate::digest::Digest;
use crate::error::Result;
use crate::event::{Interrupt, Observer};
use crate::model::{BindingName, OwnerId};
use crate::time::Timestamp;

/// A name and what is to be done for it.
#[derive(Debug)]
pub(super) struct PlannedRow {
    pub(super) row: ImportRow,
    pub(super) action: Option<Action>,
}

/// What is to be done for a name.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) name: BindingName,
    /// The artifact to bind; none if it is only declared.
    pub(super) artifact: Option<Digest>,
    pub(super) options: BindOptions,
    pub(super) declare: Option<Declare>,
}

/// The names of one file, bound together or not at all.
#[derive(Debug)]
pub(super) struct PlannedFile {
    pub(super) owner: Option<OwnerId>,
    pub(super) depot: Option<PathBuf>,
    pub(super) rows: Vec<PlannedRow>,
}

/// An artifact that nobody uses.
#[derive(Debug)]
pub(super) struct PlannedOrphan {
    pub(super) row: ImportRow,
    pub(super) id: Digest,
    pub(super) since: Option<Timestamp>,
}

/// What an import will do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is stored where, source by source.
    pub(super) surveys: Vec<(PathBuf, Survey)>,
    pub(super) files: Vec<PlannedFile>,
    pub(super) orphans: Vec<PlannedOrphan>,
}

impl Plan {
    /// Returns what would become of every name.
    pub(super) fn preview(self) -> ImportReport {
        ImportReport { rows: self.into_rows(), new_bytes: 0 }
    }

    pub(super) fn into_rows(self) -> Vec<ImportRow> {
        let names = self.files.into_iter().flat_map(|file| file.rows).map(|planned| planned.row);
        names.chain(self.orphans.into_iter().map(|orphan| orphan.row)).collect()
    }
}

/// Makes a plan.
pub(super) struct Planner<'a> {
    pub(super) known: Known<'a>,
    pub(super) options: &'a ImportOptions,
    pub(super) observer: &'a dyn Observer,
    pub(super) interrupt: &'a Interrupt,
}

impl Planner<'_> {
    pub(super) fn plan(&self, input: Input) -> Result<Plan> {
        let Input { files, spaces } = input;
        let mut plan = Plan::default();
        let times = read_times(&spaces, &mut plan);
        let read = read_files(files, &times, &mut plan);
        for (index, space) in spaces.iter().enumerate() {
            let wanted = wanted(space, &read, index)?;
            let Self { known, observer, interrupt, .. } = *self;
            let survey = Surveyor { space: &space.space, known, observer, interrupt }.survey(&wanted)?;
            plan.surveys.push((space.space.root().to_owned(), survey));
        }
        self.plan_names(&read, &times, &mut plan)?;
        for (index, space) in spaces.iter().enumerate().filter(|(_, space)| space.whole) {
            let bound = bound_ids(&read, index);
            let orphans = self.orphans(&plan.surveys[index].1, space, &bound, &times[index])?;
            plan.orphans.extend(orphans);
        }
        Ok(plan)
    }

    fn plan_names(&self, read: &[ReadFile], times: &[Times], plan: &mut Plan) -> Result<()> {
        let mut builtin = BuiltinPlanner::new(self);
        for file in read {
            let planned = self.plan_file(file, plan, times, &mut builtin)?;
            plan.files.push(planned);
        }
        if !self.options.force {
            first_has_the_name(&mut plan.files);
        }
        plan.surveys.push((PathBuf::new(), builtin.into_survey()));
        Ok(())
    }
}

/// Reads the files; one that cannot be read becomes a row.
fn read_files(files: Vec<InputFile>, times: &[Times], plan: &mut Plan) -> Vec<ReadFile> {
    let mut read = Vec::new();
    for input in files {
        match input.read(input.space.map(|index| &times[index])) {
            Ok(Some(document)) => read.push(ReadFile { input, document }),
            Ok(None) => {}
            Err(row) => plan.files.push(PlannedFile::problem(*row)),
        }
    }
    read
}

/// Reads the logs of each space; what is wrong with one becomes a row.
fn read_times(spaces: &[InputSpace], plan: &mut Plan) -> Vec<Times> {
    let mut times = Vec::new();
    for space in spaces {
        let (read, problems) = Times::read(space);
        times.push(read);
        plan.files.extend(problems.map(PlannedFile::problem));
    }
    times
}

impl PlannedFile {
    fn problem(row: ImportRow) -> Self {
        Self { owner: None, depot: None, rows: vec![PlannedRow { row, action: None }] }
    }
}
