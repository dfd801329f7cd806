// Reads objects as JSON from standard input and checks custom resources against their published models. Prints a line
// for each that does not fit; fails for a kind that it has no model of.
import { readFileSync } from "node:fs";

const MODELS = {
  "gateway.networking.k8s.io/v1": () => import("@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1"),
  "keda.sh/v1alpha1": () => import("@kubernetes-models/keda/keda.sh/v1alpha1"),
  "monitoring.coreos.com/v1": () => import("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1"),
};

let wrong = 0;
for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const models = await MODELS[object.apiVersion]?.();
    if (!models?.[object.kind]) throw new Error(`there is no model of ${object.apiVersion}`);
    new models[object.kind](object).validate();
  } catch (error) {
    wrong += 1;
    console.log(`${object.kind} ${object.metadata.name}: ${error.message}`);
  }
}
process.exit(wrong ? 1 : 0);
