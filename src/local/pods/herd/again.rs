//! Whether what lives could be started again. A process keeps what it began with, so what is saved later may
//! break its recipe unnoticed, until it ends and stays away.

use std::sync::Arc;

use super::{Herd, Record};
use crate::inventory::Inventory;
use crate::inventory::object::DeploymentFacts;
use crate::local::pods::objects::State;
use crate::local::pods::recipe::{Ports, Recipe};
use crate::local::pods::resources::Capacity;
use crate::local::pods::variables::{Surroundings, environment};

impl Herd {
    /// Remembers why the pods of a Deployment's newest template could not be started again, where they could
    /// not.
    pub(super) fn judge_again(
        &mut self,
        deployment: &DeploymentFacts,
        template: &str,
        recipe: &Result<Arc<Recipe>, String>,
        inventory: &Inventory,
    ) {
        let key = &deployment.meta.key;
        let lives = |record: &&Record| {
            !record.ending && record.template == template && matches!(record.state, State::Living(_))
        };
        let ids = self.of_deployment.get(key).into_iter().flatten();
        let fault = ids.filter_map(|id| self.pods.get(id)).find(lives).and_then(|record| match recipe {
            Ok(recipe) => record.environment(recipe, &record.ports, inventory).err(),
            Err(message) => Some(message.clone()),
        });
        match fault {
            Some(fault) => self.unrepeatable.insert(key.clone(), fault),
            None => self.unrepeatable.remove(key),
        };
    }
}

impl Record {
    /// The environment of its process.
    pub(super) fn environment(
        &self,
        recipe: &Recipe,
        ports: &Ports,
        inventory: &Inventory,
    ) -> Result<Vec<(String, String)>, String> {
        let around = Surroundings {
            inventory,
            pod: &self.key,
            uid: &self.uid,
            labels: &self.labels,
            annotations: &recipe.annotations,
            service_account: &recipe.service_account,
            capacity: Capacity::of_this_machine(),
        };
        let mut set = ports.variables(&recipe.container);
        // The echo of a trial listens on every address where `PORT` is all it knows; here one is enough.
        if recipe.is_echo() {
            set.push(("SYNKRONIC_ECHO_LISTEN".to_owned(), format!("127.0.0.1:{}", ports.main())));
        }
        environment(&recipe.container, &set, &around)
    }
}
