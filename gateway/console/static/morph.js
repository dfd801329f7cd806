// Takes a newer rendering of a region over with as few changes as it can, so that focus, selection and what is being
// typed stay. The HTML comes from our own server, where everything in it was escaped.

export function parse(html) {
  return new DOMParser().parseFromString(`<template>${html}</template>`, "text/html").querySelector("template").content;
}

export function morph(target, html) {
  children(target, parse(html));
}

function children(target, source) {
  const keyed = new Map();
  for (const child of target.children) {
    if (child.dataset.key) keyed.set(child.dataset.key, child);
  }
  let place = target.firstChild;
  for (const wanted of [...source.childNodes]) {
    const known = wanted.nodeType === Node.ELEMENT_NODE && wanted.dataset.key ? keyed.get(wanted.dataset.key) : undefined;
    if (known && known !== place) target.insertBefore(known, place);
    const present = known ?? (alike(place, wanted) ? place : undefined);
    if (present) {
      update(present, wanted);
      place = present.nextSibling;
    } else {
      target.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function alike(present, wanted) {
  return present && present.nodeType === wanted.nodeType && present.nodeName === wanted.nodeName
    && present.dataset?.key === wanted.dataset?.key;
}

function update(present, wanted) {
  if (present.nodeType !== Node.ELEMENT_NODE) {
    if (present.nodeValue !== wanted.nodeValue) present.nodeValue = wanted.nodeValue;
    return;
  }
  if (present.isEqualNode(wanted)) return;
  for (const { name } of [...present.attributes]) {
    if (!wanted.hasAttribute(name) && !(name === "open" && present.nodeName === "DETAILS")) present.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (present.getAttribute(name) !== value) present.setAttribute(name, value);
  }
  children(present, wanted);
}
