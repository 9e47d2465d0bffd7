package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// stopTimeout is the gateway's stop_timeout: docs/gateway.md.
const stopTimeout = 25 * time.Second

// uid is the user "nonroot" of the base image:
// https://github.com/GoogleContainerTools/distroless
const uid = 65532

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// gateway builds the program as the image and the archives do.
func gateway(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "./build.sh", "v1.2.3", runtime.GOOS, runtime.GOARCH, dir, "anymail-gateway")
	build.Env = append(os.Environ(), "GOWORK=")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return filepath.Join(dir, "anymail-gateway")
}

// localConfig copies a configuration with its secrets in another directory, and
// makes these secrets.
func localConfig(t *testing.T, file string) (copied string, secrets []string) {
	t.Helper()
	dir := t.TempDir()
	values := map[string]string{
		"shared_secrets": "anymail:0123456789abcdef\n",
		"signing_keys":   "0123456789abcdef0123456789abcdef\n",
		"secrets":        "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n",
		"queue":          "postgres://user:password@host/db\n",
		"idempotency":    "postgres://user:password@host/db\n",
	}
	text := read(t, file)
	for _, found := range regexp.MustCompile(`(?m)(\w+)_file: (/run/secrets/\S+)$`).FindAllStringSubmatch(text, -1) {
		require.Contains(t, values, found[1], file)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(found[2])), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, found[2]), []byte(values[found[1]]), 0o600))
		secrets = append(secrets, found[2])
	}
	copied = filepath.Join(dir, "anymail.yaml")
	text = strings.ReplaceAll(text, "/run/secrets/", dir+"/run/secrets/")
	require.NoError(t, os.WriteFile(copied, []byte(text), 0o600))
	return copied, secrets
}

func TestConfigurations(t *testing.T) {
	program := gateway(t)
	// TestImage and TestSystemd use anymail.yaml.
	for _, file := range []string{"kubernetes/anymail.yaml", "../examples/gateway/anymail.yaml"} {
		config, secrets := localConfig(t, file)
		require.NotEmpty(t, secrets, file)
		check := exec.CommandContext(t.Context(), program, "check", "-c", config)
		check.Env = append(os.Environ(), "ARCHIVE_TOKEN=0123456789abcdef")
		out, err := check.CombinedOutput()
		require.NoError(t, err, "%s: %s", file, out)
		require.Regexp(t, `^ok: \d+ adapters, \d+ sinks\n$`, string(out), "%s: no warnings", file)
	}
}

// instruction is the argument of the last instruction of this name.
func instruction(t *testing.T, dockerfile, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+name+` (.+)$`).FindAllStringSubmatch(dockerfile, -1)
	require.NotEmpty(t, found, name)
	return found[len(found)-1][1]
}

// What the image does, without Docker: the program is static, runs with the
// Dockerfile's environment and the configuration of compose.yaml, answers the health
// check, and stops at SIGTERM.
func TestImage(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	require.Contains(t, dockerfile, `RUN ./deploy/build.sh "$VERSION" "$TARGETOS" "$TARGETARCH" /out anymail-gateway`)
	require.Equal(t, "65532:65532", instruction(t, dockerfile, "USER"))
	require.Equal(t, "ANYMAIL_LISTEN=:8026 ANYMAIL_ADMIN=:8027", instruction(t, dockerfile, "ENV"))
	var health, entrypoint, command []string
	_, probe, ok := strings.Cut(instruction(t, dockerfile, "HEALTHCHECK"), " CMD ")
	require.True(t, ok)
	require.NoError(t, json.Unmarshal([]byte(probe), &health))
	require.NoError(t, json.Unmarshal([]byte(instruction(t, dockerfile, "ENTRYPOINT")), &entrypoint))
	require.NoError(t, json.Unmarshal([]byte(instruction(t, dockerfile, "CMD")), &command))
	require.Equal(t, []string{"/anymail-gateway"}, entrypoint)
	require.Equal(t, entrypoint[0], health[0])
	for _, path := range []string{"bench", "deploy/secrets"} {
		require.Contains(t, strings.Fields(read(t, "Dockerfile.dockerignore")), path)
	}

	program := gateway(t)
	file, err := elf.Open(program)
	if runtime.GOOS == "linux" {
		require.NoError(t, err)
		defer file.Close()
		require.False(t, slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }), "not static")
	}
	version, err := exec.CommandContext(t.Context(), program, "--version").Output()
	require.NoError(t, err)
	require.Equal(t, "anymail-gateway version v1.2.3 "+runtime.Version()+"\n", string(version))

	environment := append(os.Environ(), "ANYMAIL_CONFIG="+absolute(t, "anymail.yaml"), "ANYMAIL_SHARED_SECRETS_FILE="+sharedSecrets(t))
	serve := exec.CommandContext(t.Context(), program, command...)
	serve.Dir = t.TempDir()
	serve.Env = append(slices.Clone(environment), "ANYMAIL_LISTEN=:0", "ANYMAIL_ADMIN=:0")
	log, err := serve.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, serve.Start())
	lines := bufio.NewScanner(log)
	var admin string
	for admin == "" && lines.Scan() {
		if found := regexp.MustCompile(`admin=(\S+)`).FindStringSubmatch(lines.Text()); found != nil {
			admin = found[1]
		}
	}
	_, port, err := net.SplitHostPort(admin)
	require.NoError(t, err)
	for _, more := range [][]string{nil, {"--ready"}} {
		check := exec.CommandContext(t.Context(), program, append(health[1:], more...)...)
		check.Env = append(slices.Clone(environment), "ANYMAIL_ADMIN=:"+port)
		out, err := check.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	require.NoError(t, serve.Process.Signal(syscall.SIGTERM))
	for lines.Scan() { // until the program has ended
	}
	require.NoError(t, serve.Wait())
}

func TestCompose(t *testing.T) {
	details := types.ConfigDetails{WorkingDir: ".", ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml"}}}
	project, err := loader.LoadWithContext(t.Context(), details)
	require.NoError(t, err) // also if a key is unknown
	service := project.Services["gateway"]
	require.FileExists(t, filepath.Join(service.Build.Context, service.Build.Dockerfile))
	require.Greater(t, time.Duration(*service.StopGracePeriod), stopTimeout)
	require.True(t, service.ReadOnly)
	require.Equal(t, []string{"ALL"}, service.CapDrop)
	require.Contains(t, service.SecurityOpt, "no-new-privileges:true")
	require.Equal(t, *service.Environment["ANYMAIL_CONFIG"], service.Configs[0].Target)
	require.FileExists(t, project.Configs[service.Configs[0].Source].File)
	require.Len(t, service.Ports, 1, "the admin port is not published")
	require.Equal(t, "127.0.0.1", service.Ports[0].HostIP)

	require.Len(t, service.Secrets, 1)
	for _, secret := range service.Secrets {
		require.Equal(t, *service.Environment["ANYMAIL_SHARED_SECRETS_FILE"], "/run/secrets/"+secret.Source)
		require.Equal(t, absolute(t, "secrets"), filepath.Dir(absolute(t, project.Secrets[secret.Source].File)), "the directory that git ignores")
	}
	require.Contains(t, strings.Fields(read(t, "../.gitignore")), "/deploy/secrets")
}

// sharedSecrets makes a file "shared-secrets".
func sharedSecrets(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shared-secrets")
	require.NoError(t, os.WriteFile(file, []byte("anymail:0123456789abcdef\n"), 0o600))
	return file
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

func TestSystemd(t *testing.T) {
	unit := read(t, "anymail-gateway.service")
	stop, err := time.ParseDuration(regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(unit)[1] + "s")
	require.NoError(t, err)
	require.Greater(t, stop, stopTimeout)

	// The configuration is complete with the unit's environment.
	credentials := filepath.Dir(sharedSecrets(t))
	check := exec.CommandContext(t.Context(), gateway(t), "check")
	check.Dir = t.TempDir()
	check.Env = os.Environ()
	for _, found := range regexp.MustCompile(`(?m)^Environment=(.+)$`).FindAllStringSubmatch(unit, -1) {
		value := strings.ReplaceAll(found[1], "%d", credentials)
		check.Env = append(check.Env, strings.ReplaceAll(value, "/etc/anymail/anymail.yaml", absolute(t, "anymail.yaml")))
	}
	out, err := check.CombinedOutput()
	require.NoError(t, err, string(out))

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze")
	}
	file := filepath.Join(t.TempDir(), "anymail-gateway.service")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(unit, "/usr/local/bin/anymail-gateway", "/bin/true")), 0o600))
	out, err = exec.CommandContext(t.Context(), analyze, "verify", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), filepath.Base(file), "warnings")
	// The exposure is at most 2.0 of 10.
	out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=20", file).CombinedOutput()
	require.NoError(t, err, string(out))
}

// manifest decodes a file strictly into the type of its kind.
func manifest[T any](t *testing.T, file, apiVersion, kind string) T {
	t.Helper()
	var object T
	text := read(t, "kubernetes/"+file)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &object), file)
	var header struct{ APIVersion, Kind string }
	require.NoError(t, yaml.Unmarshal([]byte(text), &header))
	require.Equal(t, apiVersion+" "+kind, header.APIVersion+" "+header.Kind, file)
	return object
}

func TestKubernetes(t *testing.T) {
	kustomization := manifest[struct {
		APIVersion, Kind   string
		Resources          []string
		ConfigMapGenerator []struct {
			Name  string
			Files []string
		}
		Images []struct{ Name, NewName, NewTag string }
	}](t, "kustomization.yaml", "kustomize.config.k8s.io/v1beta1", "Kustomization")
	deployment := manifest[appsv1.Deployment](t, "deployment.yaml", "apps/v1", "Deployment")
	service := manifest[corev1.Service](t, "service.yaml", "v1", "Service")
	budget := manifest[policyv1.PodDisruptionBudget](t, "poddisruptionbudget.yaml", "policy/v1", "PodDisruptionBudget")
	network := manifest[networkingv1.NetworkPolicy](t, "networkpolicy.yaml", "networking.k8s.io/v1", "NetworkPolicy")
	require.ElementsMatch(t, []string{"deployment.yaml", "service.yaml", "poddisruptionbudget.yaml", "networkpolicy.yaml"}, kustomization.Resources)

	labels := deployment.Spec.Template.Labels
	require.NotEmpty(t, labels)
	require.Equal(t, labels, deployment.Spec.Selector.MatchLabels)
	require.Equal(t, labels, service.Spec.Selector)
	require.Equal(t, labels, budget.Spec.Selector.MatchLabels)
	require.Equal(t, labels, network.Spec.PodSelector.MatchLabels)
	require.Less(t, budget.Spec.MinAvailable.IntVal, *deployment.Spec.Replicas, "a node can be drained")

	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]
	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	require.Equal(t, map[string]int32{"webhooks": 8026, "admin": 8027}, ports) // as the Dockerfile sets them
	require.Equal(t, "webhooks", service.Spec.Ports[0].TargetPort.StrVal)
	for _, rule := range network.Spec.Ingress {
		require.Contains(t, ports, rule.Ports[0].Port.StrVal)
	}
	for path, probe := range map[string][]*corev1.Probe{"/healthz": {container.LivenessProbe, container.StartupProbe}, "/readyz": {container.ReadinessProbe}} {
		for _, probe := range probe {
			require.Equal(t, path, probe.HTTPGet.Path)
			require.Equal(t, "admin", probe.HTTPGet.Port.StrVal)
		}
	}
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	var settings struct {
		ShutdownDelay string `json:"shutdown_delay"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "kubernetes/anymail.yaml")), &settings))
	delay, err := time.ParseDuration(settings.ShutdownDelay)
	require.NoError(t, err)
	require.Greater(t, grace, stopTimeout+delay)

	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.EqualValues(t, uid, *pod.SecurityContext.RunAsUser)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	require.False(t, *pod.AutomountServiceAccountToken)
	require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	require.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
	require.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)

	// The configuration, its secrets and the image are those of the pod.
	require.Equal(t, kustomization.Images[0].Name, container.Image)
	mounts := map[string]string{}
	for _, mount := range container.VolumeMounts {
		mounts[mount.Name] = mount.MountPath
	}
	volumes := map[string]corev1.Volume{}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = volume
		require.Contains(t, mounts, volume.Name)
	}
	require.Len(t, volumes, len(mounts))
	config := kustomization.ConfigMapGenerator[0]
	require.Equal(t, config.Name, volumes["config"].ConfigMap.Name)
	require.Equal(t, corev1.EnvVar{Name: "ANYMAIL_CONFIG", Value: mounts["config"] + "/" + config.Files[0]}, container.Env[0])
	_, secrets := localConfig(t, "kubernetes/"+config.Files[0])
	comment := read(t, "kubernetes/kustomization.yaml")
	require.Contains(t, comment, "create secret generic "+volumes["secrets"].Secret.SecretName+" ")
	for _, secret := range secrets {
		require.Equal(t, mounts["secrets"], filepath.Dir(secret))
		require.Contains(t, comment, "--from-file="+filepath.Base(secret))
	}
}

// archives.sh makes the same bytes each time.
func TestArchives(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum")
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	archives := func() (dir, sums string) {
		dir = t.TempDir()
		command := exec.CommandContext(t.Context(), "./archives.sh", "v1.2.3", dir)
		command.Env = append(os.Environ(), "GOWORK=", "PLATFORMS="+platform)
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		return dir, read(t, filepath.Join(dir, "SHA256SUMS"))
	}
	dir, sums := archives()
	_, again := archives()
	require.Equal(t, sums, again)
	name := "anymail-v1.2.3-" + strings.ReplaceAll(platform, "/", "-")
	require.Regexp(t, `^[0-9a-f]{64}  `+regexp.QuoteMeta(name)+`\.tar\.gz\n$`, sums)
	list, err := exec.CommandContext(t.Context(), "tar", "-tzf", filepath.Join(dir, name+".tar.gz")).Output()
	require.NoError(t, err)
	for _, file := range []string{"anymail", "anymail-gateway", "LICENSE", "README.md", "CHANGELOG.md"} {
		require.Contains(t, strings.Fields(string(list)), name+"/"+file)
	}
}

// output runs a command and returns its standard output, or its exit status and
// standard error.
func output(ctx context.Context, dir string, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		err = errors.Join(err, errors.New(stderr.String()))
	}
	return string(out), err
}
