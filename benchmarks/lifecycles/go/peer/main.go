// Command peer does for an operation the least that a controller can do, with controller-runtime:
// it creates a Workflow that the operation owns, writes the Workflow's phase into the operation's
// status when it begins and when it ends, and deletes the Workflow after its TTL. That is four
// writes. It validates nothing, records no Events, and publishes nothing.
//
// benchmarks/lifecycles measures the operator beside it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var (
	operations = schema.GroupVersionKind{
		Group: "cloudharness.io", Version: "v1alpha1", Kind: "CloudHarnessOperation",
	}
	workflows = schema.GroupVersionKind{
		Group: "argoproj.io", Version: "v1alpha1", Kind: "Workflow",
	}
	ends = []string{"Succeeded", "Failed", "Error", "Cancelled"}
)

type settings struct {
	template  map[string]any
	ttl       time.Duration
	namespace string
	workers   int
}

func main() {
	ctrl.SetLogger(zap.New())
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	var chosen settings
	path := flag.String("template", "", "the file of the Workflow to create, as JSON")
	flag.DurationVar(&chosen.ttl, "ttl", 0, "how long an ended Workflow stays")
	flag.StringVar(&chosen.namespace, "namespace", "", "the namespace to serve")
	flag.IntVar(&chosen.workers, "workers", 32, "operations that are reconciled at once")
	flag.Parse()
	text, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &chosen.template); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // No limit: it is compared by what it can do.
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  runtime.NewScheme(),
		Metrics: server.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultNamespaces: map[string]cache.Config{chosen.namespace: {}}},
		Client:  client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(empty(operations)).
		Owns(empty(workflows)).
		WithOptions(controller.Options{MaxConcurrentReconciles: chosen.workers}).
		Complete(&peer{manager.GetClient(), chosen})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func empty(kind schema.GroupVersionKind) *unstructured.Unstructured {
	made := &unstructured.Unstructured{}
	made.SetGroupVersionKind(kind)
	return made
}

type peer struct {
	client.Client
	settings
}

// Reconcile takes the one step that is due for an operation.
func (p *peer) Reconcile(ctx context.Context, asked ctrl.Request) (ctrl.Result, error) {
	operation, workflow := empty(operations), empty(workflows)
	if err := p.Get(ctx, asked.NamespacedName, operation); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	name := types.NamespacedName{Namespace: asked.Namespace, Name: asked.Name + "-workflow"}
	err := p.Get(ctx, name, workflow)
	if apierrors.IsNotFound(err) {
		if slices.Contains(ends, phase(operation)) {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, p.create(ctx, operation, name)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if now := phase(workflow); now != "" && now != phase(operation) {
		if err := p.write(ctx, operation, workflow, now); err != nil {
			return ctrl.Result{}, err
		}
	}
	return p.expire(ctx, workflow)
}

func phase(object *unstructured.Unstructured) string {
	found, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	return found
}

func (p *peer) create(
	ctx context.Context, operation *unstructured.Unstructured, name types.NamespacedName,
) error {
	workflow := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(p.template)}
	workflow.SetNamespace(name.Namespace)
	workflow.SetName(name.Name)
	owner := metav1.NewControllerRef(operation, operations)
	workflow.SetOwnerReferences([]metav1.OwnerReference{*owner})
	return client.IgnoreAlreadyExists(p.Create(ctx, workflow))
}

func (p *peer) write(
	ctx context.Context, operation, workflow *unstructured.Unstructured, now string,
) error {
	moment := "startTime"
	if slices.Contains(ends, now) {
		moment = "completionTime"
	}
	reference := map[string]string{
		"apiVersion": "argoproj.io/v1alpha1",
		"name":       workflow.GetName(),
		"uid":        string(workflow.GetUID()),
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{
		"phase":              now,
		"observedGeneration": operation.GetGeneration(),
		"workflowRef":        reference,
		moment:               time.Now().UTC().Format(time.RFC3339),
	}})
	if err != nil {
		return err
	}
	return p.Status().Patch(ctx, operation, client.RawPatch(types.MergePatchType, body))
}

func (p *peer) expire(
	ctx context.Context, workflow *unstructured.Unstructured,
) (ctrl.Result, error) {
	if p.ttl == 0 || !slices.Contains(ends, phase(workflow)) {
		return ctrl.Result{}, nil
	}
	text, _, _ := unstructured.NestedString(workflow.Object, "status", "finishedAt")
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ctrl.Result{}, errors.Join(errors.New("status.finishedAt"), err)
	}
	if left := time.Until(end.Add(p.ttl)); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	background := client.PropagationPolicy(metav1.DeletePropagationBackground)
	return ctrl.Result{}, client.IgnoreNotFound(p.Delete(ctx, workflow, background))
}
