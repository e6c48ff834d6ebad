// What the passkey scripts do not say: that this browser has none, or that it came to nothing. And it prints.
const shown = (id) => {
  const element = document.getElementById(id);
  if (element) element.hidden = false;
};
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  shown("passkey-failed");
});
if (!window.PublicKeyCredential) shown("passkey-missing");
const print = document.getElementById("print");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
